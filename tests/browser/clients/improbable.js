// @improbable-eng/grpc-web on fetch and on WebSocket.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import improbable from '@improbable-eng/grpc-web';
import { Calculator } from 'gen/es/calculator_pb.js';
import { CallError, cancelled, detailsOf, lowerFirst, only, plain, Queue } from './calls.js';
import { serve } from './scenarios.js';

const { grpc } = improbable;

// What the library wants of messages: serializeBinary() of requests, deserializeBinary() of the type of the reply.
function definition(name) {
  const { input, output, methodKind } = Calculator.method[lowerFirst(name)];
  return {
    methodName: name,
    service: { serviceName: 'Calculator' },
    requestStream: /client|bidi/.test(methodKind),
    responseStream: /server|bidi/.test(methodKind),
    request: message => ({ serializeBinary: () => toBinary(input, create(input, message)) }),
    responseType: { deserializeBinary: bytes => fromBinary(output, bytes) },
  };
}

function plainHeaders(headers) {
  const entries = [];
  headers.forEach((name, values) => entries.push([name, values.join(', ')]));
  return plain(entries);
}

async function send(client, requests, method) {
  for await (const request of requests) client.send(method.request(request));
  client.finishSend();
}

function make(host, transport) {
  function exchange(name, requests, { metadata, timeoutMs, signal, onHeaders, onTrailers } = {}) {
    const method = definition(name), queue = new Queue();
    const client = grpc.client(method, { host, transport });
    client.onHeaders(headers => onHeaders?.(plainHeaders(headers)));
    client.onMessage(message => queue.push(message));
    client.onEnd((code, message, trailers) => {
      const fields = plainHeaders(trailers);
      onTrailers?.(fields);
      if (code === 0) queue.end();
      else queue.fail(new CallError(code, message, detailsOf(fields)));
    });
    client.start(new grpc.Metadata({ ...metadata, ...(timeoutMs ? { 'grpc-timeout': `${timeoutMs}m` } : {}) }));
    send(client, requests, method).catch(error => queue.fail(error));
    signal?.addEventListener('abort', () => { client.close(); queue.fail(cancelled()); });
    return queue;
  }
  return {
    unary: (name, request, options) => only(exchange(name, [request], options)),
    stream: (name, request, options) => exchange(name, [request], options),
    exchange,
  };
}

// With credentials the browser asks more of the answers to other origins.
serve({
  http: url => make(url, grpc.CrossBrowserHttpTransport({ withCredentials: true })),
  websocket: url => make(url, grpc.WebsocketTransport()),
});
