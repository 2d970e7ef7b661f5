// @protobuf-ts/grpcweb-transport in both of its formats.
import { GrpcWebFetchTransport } from '@protobuf-ts/grpcweb-transport';
import { CalculatorClient } from 'gen/protobuf-ts/calculator.client';
import { CallError, detailsOf, lowerFirst, plain } from './calls.js';
import { serve } from './scenarios.js';

const fieldsOf = metadata => plain(Object.entries(metadata).map(([name, value]) => [name, [value].flat().join(', ')]));
const callError = ({ code, message, meta }) => new CallError(code, message, detailsOf(fieldsOf(meta ?? {})));
const options = ({ metadata, timeoutMs, signal }) => ({ meta: metadata, timeout: timeoutMs, abort: signal });

async function report(call, { onHeaders, onTrailers }) {
  onHeaders?.(fieldsOf(await call.headers));
  onTrailers?.(fieldsOf(await call.trailers));
}

function make(baseUrl, format) {
  const client = new CalculatorClient(new GrpcWebFetchTransport({ baseUrl, format }));
  return {
    async unary(name, request, how = {}) {
      try {
        const call = client[lowerFirst(name)](request, options(how));
        const { response } = await call;
        await report(call, how);
        return response;
      } catch (error) {
        throw callError(error);
      }
    },
    async *stream(name, request, how = {}) {
      try {
        const call = client[lowerFirst(name)](request, options(how));
        yield* call.responses;
        await report(call, how);
      } catch (error) {
        throw callError(error);
      }
    },
  };
}

serve({ text: url => make(url, 'text'), binary: url => make(url, 'binary') });
