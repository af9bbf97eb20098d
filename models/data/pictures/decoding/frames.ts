/** A message between processes: JSON, and bytes where there are any. */
export interface Frame<Header> {
  readonly header: Header;
  readonly body: Uint8Array;
}

const prefixBytes = 8;
/** Headers say little: a longer one is no message of ours. */
const mostHeaderBytes = 2 ** 20;

/** Length of the header and of the body, u32 each, little-endian; the header as JSON in UTF-8. The body follows. */
export function frameHead(header: unknown, bodyBytes: number): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(prefixBytes + json.byteLength);
  const view = new DataView(head.buffer);
  view.setUint32(0, json.byteLength, true);
  view.setUint32(4, bodyBytes, true);
  head.set(json, prefixBytes);
  return head;
}

/** Puts frames together from the chunks of a stream. A body is copied once, into memory of its own. */
export class FrameReader<Header> {
  readonly #onFrame: (frame: Frame<Header>) => void;
  #head = new Uint8Array(0);
  #open: { readonly header: Header; readonly body: Uint8Array; filled: number } | undefined;

  constructor(onFrame: (frame: Frame<Header>) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws Error when the stream is none of frames; SyntaxError for a header that is no JSON */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.byteLength > 0) {
      if (!this.#open) {
        rest = this.#pushHead(rest);
        if (!this.#open) continue;
      }
      const { header, body, filled } = this.#open;
      const part = rest.subarray(0, body.byteLength - filled);
      body.set(part, filled);
      this.#open.filled += part.byteLength;
      rest = rest.subarray(part.byteLength);
      if (this.#open.filled < body.byteLength) continue;
      this.#open = undefined;
      this.#onFrame({ header, body });
    }
  }

  /** Takes what belongs to the head and returns what does not. */
  #pushHead(chunk: Uint8Array): Uint8Array {
    const wanted = this.#headBytes() - this.#head.byteLength;
    const part = chunk.subarray(0, wanted);
    const head = new Uint8Array(this.#head.byteLength + part.byteLength);
    head.set(this.#head);
    head.set(part, this.#head.byteLength);
    this.#head = head;
    if (head.byteLength >= prefixBytes && head.byteLength === this.#headBytes()) {
      const header = JSON.parse(new TextDecoder().decode(head.subarray(prefixBytes))) as Header;
      const body = new Uint8Array(new DataView(head.buffer).getUint32(4, true));
      this.#head = new Uint8Array(0);
      this.#open = { header, body, filled: 0 };
    }
    return chunk.subarray(part.byteLength);
  }

  #headBytes(): number {
    if (this.#head.byteLength < prefixBytes) return prefixBytes;
    const json = new DataView(this.#head.buffer).getUint32(0, true);
    if (json === 0 || json > mostHeaderBytes) throw new Error(`a message begins with a header of ${json} bytes`);
    return prefixBytes + json;
  }
}
