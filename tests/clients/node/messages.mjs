// The calculator's messages by protobufjs, for clients that bring no code generator of their own.
import { createRequire } from "node:module";
import path from "node:path";
import protobuf from "protobufjs";

/** The service of the .proto that the harness names, with its types resolved. */
export function calculatorService() {
  const root = new protobuf.Root();
  const ours = path.dirname(process.env.PROTO);
  const theirs = path.dirname(createRequire(import.meta.url).resolve("protobufjs/package.json"));
  root.resolvePath = (_, target) =>
    path.isAbsolute(target) ? target : path.join(target.startsWith("google/protobuf/") ? theirs : ours, target);
  return root.loadSync(process.env.PROTO).lookupService("Calculator").resolveAll();
}

export const encode = (type, message) => type.encode(type.fromObject(message)).finish();
export const decode = (type, bytes) => type.toObject(type.decode(bytes), { defaults: true, longs: Number, enums: String });
