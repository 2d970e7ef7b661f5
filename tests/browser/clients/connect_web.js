// @connectrpc/connect-web with its gRPC-Web transport.
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { Calculator } from 'gen/es/calculator_pb.js';
import { bytesToText, CallError, lowerFirst, plain } from './calls.js';
import { serve } from './scenarios.js';

const callError = ({ code, rawMessage, details }) =>
  new CallError(code, rawMessage, details.map(({ type, value }) => type + bytesToText(value)).join());

const options = ({ metadata, timeoutMs, signal, onHeaders, onTrailers }) => ({
  headers: metadata, timeoutMs, signal,
  onHeader: headers => onHeaders?.(plain(headers)), onTrailer: trailers => onTrailers?.(plain(trailers)),
});

function make(baseUrl) {
  const client = createClient(Calculator, createGrpcWebTransport({ baseUrl }));
  return {
    unary: (name, request, how = {}) =>
      client[lowerFirst(name)](request, options(how)).catch(error => { throw callError(error); }),
    async *stream(name, request, how = {}) {
      try {
        yield* client[lowerFirst(name)](request, options(how));
      } catch (error) {
        throw callError(error);
      }
    },
  };
}

serve({ fetch: make });
