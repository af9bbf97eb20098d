import { DatasetError, linesText } from "../problems.ts";

/** The text of a table's file, lines ended by \n, and what the user should know of how it was read. */
export interface TableText {
  readonly text: string;
  readonly warnings: readonly string[];
}

/** Files that are no table as text: what they begin with, as Latin-1. */
const otherFormats: readonly [what: string, begins: string | RegExp][] = [
  ["an old Excel file (.xls)", "\xd0\xcf\x11\xe0"],
  ["a zip archive", "PK\x03\x04"],
  ["compressed by gzip", "\x1f\x8b"],
  ["a PDF", "%PDF-"],
  ["an SQLite database", "SQLite format 3"],
  ["a Parquet file", "PAR1"],
  ["a picture", /^(\x89PNG|\xff\xd8\xff|GIF8|RIFF)/],
  ["a web page", /^\s*<(!doctype|html|\?xml)/i],
  ["JSON", /^\s*(\{\s*["}]|\[\s*[[{"\]])/],
];

/**
 * Text of a file: UTF-8, UTF-16 or UTF-32 with a byte order mark, UTF-16 without one; lines that are no UTF-8 are read as
 * windows-1252, with a warning. Ends of lines of Windows, Unix and old Macintosh systems become \n.
 * @throws DatasetError when it is no text, with what it seems to be
 */
export function tableText(bytes: Uint8Array, path: string): TableText {
  const { text, warnings } = decoded(bytes, path);
  if (text.includes("\0")) refuse(path, "no text (it has zero bytes)");
  return { text: text.replace(/\r+\n|\r|\u2028|\u0085/g, "\n"), warnings };
}

function decoded(bytes: Uint8Array, path: string): TableText {
  const [a, b, c, d] = bytes;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff)) {
    return { text: utf32(bytes, a === 0xff), warnings: [] };
  }
  const marked = a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : undefined;
  if (!marked) refuseOthers(bytes, path);
  const order = marked ?? zeroBytes(bytes);
  if (order) return { text: new TextDecoder(order).decode(bytes), warnings: [] };
  return utf8OrWindows(bytes, path);
}

function refuseOthers(bytes: Uint8Array, path: string): void {
  const start = String.fromCharCode(...bytes.subarray(0, 64)).replace(/^\xef\xbb\xbf/, "");
  const other = otherFormats.find(([, begins]) =>
    typeof begins === "string" ? start.startsWith(begins) : begins.test(start),
  );
  if (other) refuse(path, other[0]);
}

function refuse(path: string, what: string): never {
  throw new DatasetError(`${path} is ${what}; a CSV or an .xlsx file is expected. Export the table as CSV in UTF-8.`);
}

/** UTF-16 that does not say so: of plain letters every second byte is zero. */
function zeroBytes(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  const looked = Math.min(bytes.length & ~1, 4096);
  const zeros = [0, 0];
  for (let i = 0; i < looked; i++) if (bytes[i] === 0) zeros[i & 1]!++;
  const [even, odd] = zeros as [number, number];
  if (odd > looked / 5 && even < odd / 8) return "utf-16le";
  return even > looked / 5 && odd < even / 8 ? "utf-16be" : undefined;
}

function utf32(bytes: Uint8Array, little: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength & ~3);
  let text = "";
  for (let i = 4; i < view.byteLength; i += 4) {
    const code = view.getUint32(i, little);
    text += code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
  }
  return text;
}

function utf8OrWindows(bytes: Uint8Array, path: string): TableText {
  const strict = new TextDecoder("utf-8", { fatal: true });
  try {
    return { text: strict.decode(bytes), warnings: [] };
  } catch {
    const windows = new TextDecoder("windows-1252");
    const lines: string[] = [];
    const others: number[] = [];
    for (let start = 0, line = 1; start < bytes.length; line++) {
      const end = nextLine(bytes, start);
      const part = bytes.subarray(start, end);
      try {
        lines.push(strict.decode(part));
      } catch {
        others.push(line);
        lines.push(windows.decode(part));
      }
      start = end;
    }
    const warning = `${path} is no UTF-8; ${linesText(others)} ${others.length === 1 ? "is" : "are"} read as windows-1252. If letters come out wrong, save the file as UTF-8.`;
    return { text: lines.join("").replace(/^\ufeff/, ""), warnings: [warning] };
  }
}

/** Where the line after that at `start` begins; a line ends with LF, CR, or both. */
function nextLine(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 10 && bytes[at] !== 13) at++;
  while (bytes[at] === 13) at++;
  return bytes[at] === 10 ? at + 1 : at;
}
