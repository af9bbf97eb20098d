import { Buffer } from "node:buffer";

/** A part of a form as it came. */
export interface Part {
  /** The lines of its header, a character for each byte. */
  readonly header: string;
  readonly content: Uint8Array;
}

/** A body is no form. */
export class MultipartError extends Error {
  override name = "MultipartError";
}

/** Characters of a boundary, at most (RFC 2046, 5.1.1). */
const mostBoundary = 70;
/** Bytes of a part's header. */
const mostHeaderBytes = 16 * 1024;

const dash = 45;

/**
 * The boundary that a content type names, in quotes or not. @throws MultipartError when it names none, or one that RFC 2046
 * forbids: of more than 70 characters, of others than it allows, or with a space at its end
 */
export function boundaryOf(contentType: string): string {
  const found = /;[ \t]*boundary[ \t]*=[ \t]*(?:"([^"]*)"|([^\s";]+))/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2];
  if (!boundary) throw new MultipartError("Its content type names no boundary.");
  if (boundary.length > mostBoundary) {
    throw new MultipartError(`Its boundary has ${boundary.length} characters; at most ${mostBoundary} are allowed.`);
  }
  if (!/^[\x20-\x7e]*[\x21-\x7e]$/.test(boundary)) {
    throw new MultipartError("Its boundary has characters that are not allowed.");
  }
  return boundary;
}

/**
 * The parts of a form (RFC 7578) in the order of its bytes, each as soon as the last of its bytes was written. What stands before
 * the first boundary and behind the last one belongs to no part. The work for a byte is bounded, however the bytes are cut into
 * chunks, and so is the memory beyond the bytes themselves.
 */
export class MultipartParser {
  readonly #delimiter: Buffer;
  /** The end of what came, on which nothing is decided yet. A form may begin with its boundary, as if a line had ended before. */
  #rest: Buffer = Buffer.from("\r\n");
  #state: "preamble" | "boundary" | "header" | "content" | "epilogue" = "preamble";
  #header = "";
  #content = new Pages();

  /** @param boundary as {@link boundaryOf} gives it */
  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  }

  /** Whether the last boundary has come. */
  get hasEnded(): boolean {
    return this.#state === "epilogue";
  }

  /** @throws MultipartError when a part's header is too long, or something else than a line's end stands behind a boundary */
  *write(chunk: Uint8Array): Generator<Part, void, undefined> {
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#rest = this.#rest.byteLength === 0 ? piece : Buffer.concat([this.#rest, piece]);
    for (let isMore = true; isMore; ) {
      const wasContent = this.#state === "content";
      isMore = this.#step();
      if (wasContent && isMore) yield { header: this.#header, content: this.#content.take() };
    }
  }

  /** Goes one state further. False when bytes are missing for it, or no further state follows. */
  #step(): boolean {
    switch (this.#state) {
      case "preamble":
        return this.#upToDelimiter(() => {});
      case "boundary":
        return this.#boundaryLine();
      case "header":
        return this.#headerLines();
      case "content":
        return this.#upToDelimiter((bytes) => this.#content.add(bytes));
      case "epilogue":
        this.#rest = Buffer.alloc(0);
        return false;
    }
  }

  #upToDelimiter(use: (bytes: Buffer) => void): boolean {
    const at = this.#rest.indexOf(this.#delimiter);
    // The last bytes may be the beginning of a delimiter.
    const decided = at >= 0 ? at : this.#rest.byteLength - this.#delimiter.byteLength + 1;
    if (decided > 0) use(this.#rest.subarray(0, decided));
    this.#rest = this.#rest.subarray(Math.max(0, decided) + (at >= 0 ? this.#delimiter.byteLength : 0));
    if (at >= 0) this.#state = "boundary";
    return at >= 0;
  }

  /** What stands behind a boundary: two dashes at the end of the form, else spaces that mean nothing and the end of the line. */
  #boundaryLine(): boolean {
    if (this.#rest.byteLength < 2) return false;
    if (this.#rest[0] === dash && this.#rest[1] === dash) {
      this.#state = "epilogue";
      return true;
    }
    const end = this.#rest.indexOf("\r\n");
    const padding = this.#rest.toString("latin1", 0, end < 0 ? Math.min(this.#rest.byteLength, mostHeaderBytes) : end);
    if (!/^[ \t]*\r?$/.test(padding) || padding.length >= mostHeaderBytes) {
      throw new MultipartError("A boundary does not end its line.");
    }
    if (end < 0) return false;
    // The line's end stays: it is the first half of the empty line where a part has no header.
    this.#rest = this.#rest.subarray(end);
    this.#state = "header";
    return true;
  }

  #headerLines(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if ((end < 0 ? this.#rest.byteLength : end) > mostHeaderBytes) {
      throw new MultipartError(`The header of a part has more than ${mostHeaderBytes} bytes.`);
    }
    if (end < 0) return false;
    this.#header = this.#rest.toString("latin1", 2, Math.max(2, end));
    this.#rest = this.#rest.subarray(end + 4);
    this.#state = "content";
    return true;
  }
}

/** Bytes that came in pieces: small pieces are copied together, so that a body of single bytes takes no more memory than others. */
class Pages {
  static readonly #size = 4096;
  #whole: Uint8Array[] = [];
  #page = new Uint8Array(0);
  #used = 0;

  add(piece: Uint8Array): void {
    if (piece.byteLength >= Pages.#size) {
      this.#close();
      this.#whole.push(piece);
      return;
    }
    if (this.#used + piece.byteLength > this.#page.byteLength) {
      this.#close();
      this.#page = new Uint8Array(Pages.#size);
    }
    this.#page.set(piece, this.#used);
    this.#used += piece.byteLength;
  }

  /** All bytes, in one piece; none are left. */
  take(): Uint8Array {
    this.#close();
    const [only] = this.#whole;
    const bytes = only && this.#whole.length === 1 ? only : Buffer.concat(this.#whole);
    this.#whole = [];
    return bytes;
  }

  #close(): void {
    if (this.#used > 0) this.#whole.push(this.#page.subarray(0, this.#used));
    this.#page = this.#page.subarray(this.#used);
    this.#used = 0;
  }
}
