// @connectrpc/connect-web with its gRPC-Web transport and its Connect transport; that with both codecs, and by GET.
import { createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-web';
import { Calculator } from 'gen/es/calculator_pb.js';
import { bytesToText, CallError, lowerFirst, plain } from './calls.js';
import { serve } from './scenarios.js';

const callError = ({ code, rawMessage, details }) =>
  new CallError(code, rawMessage, details.map(({ type, value }) => type + bytesToText(value)).join());

const options = ({ metadata, timeoutMs, signal, onHeaders, onTrailers }) => ({
  headers: metadata, timeoutMs, signal,
  onHeader: headers => onHeaders?.(plain(headers)), onTrailer: trailers => onTrailers?.(plain(trailers)),
});

function make(transport) {
  const client = createClient(Calculator, transport);
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

serve({
  grpc_web: baseUrl => make(createGrpcWebTransport({ baseUrl })),
  connect_proto: baseUrl => make(createConnectTransport({ baseUrl, useBinaryFormat: true })),
  connect_json: baseUrl => make(createConnectTransport({ baseUrl })),
  connect_get: baseUrl => make(createConnectTransport({ baseUrl, useHttpGet: true })),
});
