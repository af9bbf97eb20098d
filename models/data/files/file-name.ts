/*
 * A file's name is bytes, on most systems any bytes; a path here is a string. A byte that is no UTF-8 stands in it as one of
 * U+10FE80 to U+10FEFF, which are for private use, so that every file can be named, compared and opened. (Python's lone surrogates do
 * not outlive `join` of every runtime.)
 */

const base = 0x10fe00;
const strayBytes = /[\u{10fe80}-\u{10feff}]/gu;
const hasStrayBytes = (name: string) => name.search(strayBytes) >= 0;

/** The name that these bytes are. */
export function nameOfBytes(bytes: Uint8Array): string {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let name = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at]!);
    try {
      const text = strict.decode(bytes.subarray(at, at + length));
      if (hasStrayBytes(text)) throw new Error("it would be taken for a byte");
      name += text;
      at += length;
    } catch {
      name += String.fromCodePoint(base + bytes[at]!);
      at++;
    }
  }
  return name;
}

/** Bytes of a UTF-8 sequence that begins so; 1 where none does. */
function sequenceLength(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

/** A path as the system's calls take it: bytes where it is no UTF-8. */
export function onDisk(path: string): string | Buffer {
  if (!hasStrayBytes(path)) return path;
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { 0: stray, index } of path.matchAll(strayBytes)) {
    pieces.push(Buffer.from(path.slice(from, index)), Buffer.from([stray.codePointAt(0)! - base]));
    from = index + stray.length;
  }
  return Buffer.concat([...pieces, Buffer.from(path.slice(from))]);
}

/** A name as text that any reader of UTF-8 takes: bytes that are none are written `\xE4`. */
export function asText(name: string): string {
  return name.replace(strayBytes, (stray) => `\\x${hex(stray.codePointAt(0)! - base, 2)}`).toWellFormed();
}

// C0 and C1, DEL, line and paragraph separators, and what turns the direction of writing.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** As {@link asText}, on one line and without characters that would steer a terminal. */
export function printable(name: string): string {
  return asText(name).replace(controls, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
