import { SidecarError } from "./sidecar-error.ts";

/** A file's text and how to make its bytes again. */
export interface EncodedText {
  /** A byte order mark is its first character. */
  readonly text: string;
  /** Bytes of a text that differs from this one in ASCII alone; those of the text itself are the file's. */
  readonly encode: (text: string) => Uint8Array;
}

/**
 * The text of an XML file: UTF-8 or UTF-16 by its byte order mark or its first characters; of encodings that have ASCII's characters at
 * ASCII's places and are declared (`windows-1252`, `ISO-8859-15` …) each byte is one character, which is not that of the encoding but
 * comes out as the same byte.
 * @throws SidecarError `damaged` for others, and for bytes that are none of the encoding
 */
export function textOf(bytes: Uint8Array): EncodedText {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = (...start: number[]) => start.every((byte, i) => bytes[i] === byte);
  if (starts(0xff, 0xfe, 0, 0) || starts(0, 0, 0xfe, 0xff) || starts(0, 0, 0, 0x3c) || starts(0x3c, 0, 0, 0)) {
    throw new SidecarError("damaged", "it is UTF-32, which is not written; convert it to UTF-8");
  }
  if (starts(0xff, 0xfe) || starts(0x3c, 0)) return strictly(bytes, "utf-16le", (text) => Buffer.from(text, "utf16le"));
  if (starts(0xfe, 0xff) || starts(0, 0x3c)) {
    return strictly(bytes, "utf-16be", (text) => Buffer.from(text, "utf16le").swap16());
  }
  const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z][\w.-]*)["']/
    .exec(buffer.toString("latin1", 0, 200))?.[1]
    ?.toLowerCase();
  if (declared === undefined || declared === "utf-8" || declared === "utf8" || starts(0xef, 0xbb, 0xbf)) {
    return strictly(bytes, "utf-8", (text) => Buffer.from(text));
  }
  if (/^(us-ascii|ascii|latin1|iso-8859-\d+|windows-125\d|cp125\d|koi8-[ru])$/.test(declared)) {
    return { text: buffer.toString("latin1"), encode: (text) => Buffer.from(text, "latin1") };
  }
  throw new SidecarError(
    "damaged",
    `it says that its encoding is ${declared}, which is not written; convert it to UTF-8`,
  );
}

function strictly(
  bytes: Uint8Array,
  encoding: "utf-8" | "utf-16le" | "utf-16be",
  encode: EncodedText["encode"],
): EncodedText {
  try {
    return { text: new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes), encode };
  } catch (cause) {
    const text = `it has bytes that are no ${encoding.toUpperCase()}; mend it with the program that wrote it`;
    throw new SidecarError("damaged", text, { cause });
  }
}

/** Text for an attribute's value or an element's content, in ASCII. Characters that XML has no way to write become U+FFFD. */
export function escaped(value: string): string {
  const named: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return value.toWellFormed().replace(/[&<>"']|[^\x20-\x7e]/gu, (character) => {
    const point = character.codePointAt(0)!;
    const illegal = (point < 0x20 && ![9, 10, 13].includes(point)) || point === 0xfffe || point === 0xffff;
    return named[character] ?? `&#x${(illegal ? 0xfffd : point).toString(16).toUpperCase()};`;
  });
}
