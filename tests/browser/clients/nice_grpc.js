// nice-grpc-web on fetch and on WebSocket.
import { createChannel, createClient, FetchTransport, Metadata, WebsocketTransport } from 'nice-grpc-web';
import { CalculatorDefinition } from 'gen/nice/calculator';
import { CallError, cancelled, detailsOf, lowerFirst, plain, textToBytes } from './calls.js';
import { serve } from './scenarios.js';

function metadataOf({ metadata = {}, timeoutMs }) {
  const fields = new Metadata();
  for (const [name, value] of Object.entries(metadata))
    fields.set(name, name.endsWith('-bin') ? textToBytes(atob(value)) : value);
  if (timeoutMs) fields.set('grpc-timeout', `${timeoutMs}m`);
  return fields;
}

function* entries(metadata) {
  for (const [name, values] of metadata) for (const value of values) yield [name, value];
}

function make(url, transport) {
  const client = createClient(CalculatorDefinition, createChannel(url, transport));

  // The options of a call, and what its failure means: trailers are told apart from the error.
  function prepare(options = {}) {
    let trailers = {};
    const how = {
      metadata: metadataOf(options), signal: options.signal,
      onHeader: headers => options.onHeaders?.(plain(entries(headers))),
      onTrailer: fields => { trailers = plain(entries(fields)); options.onTrailers?.(trailers); },
    };
    const rethrow = error => {
      if (error.name === 'AbortError') throw cancelled();
      throw new CallError(error.code, error.details ?? String(error), detailsOf(trailers));
    };
    return [how, rethrow];
  }

  async function* messages(name, request, options) {
    const [how, rethrow] = prepare(options);
    try {
      yield* client[lowerFirst(name)](request, how);
    } catch (error) {
      rethrow(error);
    }
  }

  async function unary(name, request, options) {
    const [how, rethrow] = prepare(options);
    return client[lowerFirst(name)](request, how).catch(rethrow);
  }

  return {
    unary,
    stream: messages,
    async *exchange(name, requests, options) {
      if (CalculatorDefinition.methods[lowerFirst(name)].responseStream) yield* messages(name, requests, options);
      else yield await unary(name, requests, options);
    },
  };
}

serve({
  http: url => make(url, FetchTransport({ credentials: 'include' })),
  websocket: url => make(url, WebsocketTransport()),
});
