// What the clients have in common: one form of errors, of metadata and of streams, whatever the library calls them.

const NAMES = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS',
  'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL',
  'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'];

/** A call that failed: the number of its status, its message, and grpc-status-details-bin as text of one byte each. */
export class CallError extends Error {
  constructor(code, message, details = '') {
    super(message);
    this.code = typeof code === 'string' ? NAMES.indexOf(code) : code;
    this.details = details;
  }
}

export const cancelled = () => new CallError(1, 'cancelled by the page');
export const bytesToText = bytes => Array.from(bytes, byte => String.fromCharCode(byte)).join('');
export const textToBytes = text => Uint8Array.from(text, character => character.charCodeAt(0));
export const lowerFirst = name => name[0].toLowerCase() + name.slice(1);

/** {name: text} of [name, text or bytes]; bytes and -bin values become base64 without padding. */
export function plain(entries) {
  const fields = {};
  for (const [name, value] of entries) {
    const text = typeof value === 'string' ? value : btoa(bytesToText(value));
    fields[name.toLowerCase()] = name.toLowerCase().endsWith('-bin') ? text.replace(/=+$/, '') : text;
  }
  return fields;
}

/** The bytes of grpc-status-details-bin, as text, from plain metadata. */
export const detailsOf = fields => atob(fields['grpc-status-details-bin'] ?? '');

/** Turns callbacks into an asynchronous sequence. */
export class Queue {
  #events = [];
  #wake = () => {};

  #add(event) {
    this.#events.push(event);
    this.#wake();
  }

  push(value) { this.#add({ value }); }
  end() { this.#add({ done: true }); }
  fail(error) { this.#add({ error }); }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (!this.#events.length) await new Promise(resolve => { this.#wake = resolve; });
      const { value, done, error } = this.#events.shift();
      if (error) throw error;
      if (done) return;
      yield value;
    }
  }
}

/** The one message of a call that is made as a stream. */
export async function only(messages) {
  const all = [];
  for await (const message of messages) all.push(message);
  if (all.length !== 1) throw new Error(`${all.length} replies to a unary call`);
  return all[0];
}
