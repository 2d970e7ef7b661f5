// @protobuf-ts/grpcweb-transport in both of its formats.
import { GrpcWebFetchTransport } from '@protobuf-ts/grpcweb-transport';
import { CalculatorClient } from 'gen/protobuf-ts/calculator.client';
import { CallError, detailsOf, plain } from './calls.js';
import { serve } from './scenarios.js';

const fieldsOf = metadata => plain(Object.entries(metadata).map(([name, value]) => [name, [value].flat().join(', ')]));
// The library hands out grpc-message as it came, percent-encoded.
const callError = ({ code, message, meta }) =>
  new CallError(code, decodeURIComponent(message), detailsOf(fieldsOf(meta ?? {})));
const options = ({ metadata, timeoutMs, signal }) => ({ meta: metadata, timeout: timeoutMs, abort: signal });

async function report(call, { onHeaders, onTrailers }) {
  onHeaders?.(fieldsOf(await call.headers));
  onTrailers?.(fieldsOf(await call.trailers));
}

function make(baseUrl, format) {
  const client = new CalculatorClient(new GrpcWebFetchTransport({ baseUrl, format }));
  const start = (name, request, how) => {
    const method = client.methods.find(each => each.name === name);
    return client[method.localName](method.I.create(request), options(how)); // the library wants whole messages
  };
  return {
    async unary(name, request, how = {}) {
      try {
        const call = start(name, request, how);
        const { response } = await call;
        await report(call, how);
        return response;
      } catch (error) {
        throw callError(error);
      }
    },
    async *stream(name, request, how = {}) {
      try {
        const call = start(name, request, how);
        yield* call.responses;
        await report(call, how);
      } catch (error) {
        throw callError(error);
      }
    },
  };
}

serve({ text: url => make(url, 'text'), binary: url => make(url, 'binary') });
