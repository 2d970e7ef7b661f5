// A table of scenarios and the loop that runs them: one line "ok NAME", "not ok NAME: reason" or "skip NAME: reason" each.
// With --list only their names are printed; with names behind the target only those run.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const LIMIT_MS = 10_000;

const late = (ms) =>
  new Promise((_, reject) => setTimeout(() => reject(new Error(`not finished after ${ms} ms`)), ms).unref());

/** Thrown by a scenario that this machine cannot run. */
export class Skip extends Error {}

export async function run(scenarios, make) {
  const [target, ...names] = process.argv.slice(2);
  if (target === "--list") {
    console.log(Object.keys(scenarios).join("\n"));
    return;
  }
  const context = make(target);
  let failed = false;
  for (const name of names.length ? names : Object.keys(scenarios)) {
    try {
      await Promise.race([scenarios[name](context), late(LIMIT_MS)]);
      console.log(`ok ${name}`);
    } catch (error) {
      if (error instanceof Skip) {
        console.log(`skip ${name}: ${error.message}`);
        continue;
      }
      failed = true;
      console.log(`not ok ${name}: ${String(error.stack ?? error).split("\n").slice(0, 12).join(" | ")}`);
    }
  }
  process.exit(failed ? 1 : 0);
}

/** The bytes of the descriptor set that the harness names. */
export const descriptorSet = () => readFileSync(process.env.SCHEMA);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves with what the promise is rejected with. */
export async function failure(promise) {
  const value = await promise.catch((error) => ({ error }));
  assert.ok(value?.error, `succeeded with ${JSON.stringify(value)}`);
  return value.error;
}
