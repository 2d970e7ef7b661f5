// npm grpc-web, the official client, in both of its modes.  Streams arrive message by message in text mode only: in binary
// mode the library waits for the end of the response.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { GrpcWebClientBase, MethodDescriptor, MethodType } from 'grpc-web';
import { Calculator } from 'gen/es/calculator_pb.js';
import { CallError, cancelled, detailsOf, lowerFirst, plain, Queue } from './calls.js';
import { serve } from './scenarios.js';

function descriptor(name) {
  const { input, output, methodKind } = Calculator.method[lowerFirst(name)];
  const type = methodKind === 'unary' ? MethodType.UNARY : MethodType.SERVER_STREAMING;
  return new MethodDescriptor(`/Calculator/${name}`, type, Object, Object,
    request => toBinary(input, create(input, request)), bytes => fromBinary(output, bytes));
}

function callError({ code, message, metadata }) {
  return new CallError(code, message, detailsOf(plain(Object.entries(metadata ?? {}))));
}

const fields = ({ metadata, timeoutMs }) =>
  ({ ...metadata, ...(timeoutMs ? { deadline: String(Date.now() + timeoutMs) } : {}) });

function report(call, { onHeaders, onTrailers }) {
  call.on('metadata', headers => onHeaders?.(plain(Object.entries(headers))));
  call.on('status', status => onTrailers?.(plain(Object.entries(status.metadata ?? {}))));
}

function make(url, format) {
  const client = new GrpcWebClientBase({ format });
  return {
    unary(name, request, options = {}) {
      const path = `${url}/Calculator/${name}`;
      if (options.signal) {
        return client.unaryCall(path, request, fields(options), descriptor(name), { signal: options.signal })
          .catch(error => { throw options.signal.aborted ? cancelled() : callError(error); });
      }
      return new Promise((resolve, reject) => {
        let reply;
        const call = client.rpcCall(path, request, fields(options), descriptor(name),
          (error, message) => { if (error) reject(callError(error)); else reply = message; });
        report(call, options);
        call.on('end', () => resolve(reply));
      });
    },
    stream(name, request, options = {}) {
      const queue = new Queue();
      const call = client.serverStreaming(`${url}/Calculator/${name}`, request, fields(options), descriptor(name));
      report(call, options);
      call.on('data', message => queue.push(message));
      call.on('error', error => queue.fail(callError(error)));
      call.on('end', () => queue.end());
      options.signal?.addEventListener('abort', () => { call.cancel(); queue.fail(cancelled()); });
      return queue;
    },
  };
}

serve({ text: url => make(url, 'text'), binary: url => make(url, 'binary') });
