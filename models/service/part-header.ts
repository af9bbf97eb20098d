import { Buffer } from "node:buffer";

/** What a part of a form says of itself. */
export interface PartHeader {
  /** Of the field. */
  readonly name: string;
  /** As it was sent, with its folders where it has some; undefined where none is named, which makes it no file. */
  readonly filename: string | undefined;
  /** Media type without parameters, in small letters; empty where none is named. */
  readonly type: string;
}

/**
 * Reads the header of a part (RFC 7578, 4). Names are UTF-8, or Latin-1 where they are no UTF-8. What browsers write as `%22`, `%0D`
 * and `%0A` (HTML, multipart/form-data encoding) and other clients as a quote behind a backslash stands for the quote and the ends of lines; other
 * backslashes and percent signs stand for themselves. `filename*` (RFC 8187) goes before `filename`.
 * @param header its lines, a character for each byte
 */
export function readPartHeader(header: string): PartHeader {
  const lines = header.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const value = (name: string) => {
    const line = lines.find((each) => each.slice(0, each.indexOf(":")).trim().toLowerCase() === name) ?? "";
    return line.slice(line.indexOf(":") + 1).trim();
  };
  const parameters = parametersOf(value("content-disposition"));
  const extended = parameters.get("filename*");
  return {
    name: named(parameters.get("name")) ?? "",
    filename: (extended === undefined ? undefined : extendedText(extended)) ?? named(parameters.get("filename")),
    type: value("content-type").split(";")[0]!.trim().toLowerCase(),
  };
}

/** The parameters behind the first `;`, as they stand there, quoted ones with their first quote; the first of a name counts. */
function parametersOf(value: string): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = value.indexOf(";"); at >= 0 && at < value.length; ) {
    const equals = value.indexOf("=", at);
    if (equals < 0) break;
    const key = value
      .slice(value.lastIndexOf(";", equals) + 1, equals)
      .trim()
      .toLowerCase();
    const start = equals + 1 + value.slice(equals + 1).search(/\S|$/);
    const isQuoted = value[start] === '"';
    const end = isQuoted ? closingQuote(value, start + 1) : start;
    if (!found.has(key))
      found.set(key, isQuoted ? value.slice(start, end) : value.slice(start).split(";", 1)[0]!.trim());
    at = value.indexOf(";", end);
  }
  return found;
}

/** Where a quoted text ends: at the first quote that no backslash escapes; one at the very end is never escaped. */
function closingQuote(value: string, from: number): number {
  for (let at = from; at < value.length; at++) {
    if (value[at] === '"' && (value[at - 1] !== "\\" || at === value.length - 1)) return at;
  }
  return value.length;
}

/** A parameter as it was meant. */
function named(parameter: string | undefined): string | undefined {
  if (parameter === undefined) return undefined;
  let text = parameter;
  if (text.startsWith('"')) {
    text = text.slice(1);
    // Browsers never write \", and a backslash as it is; who writes \" writes \\ too.
    if (text.includes('\\"')) text = text.replace(/\\(["\\])/g, "$1");
    text = text.replace(/%(22|0d|0a)/gi, (escaped) => String.fromCharCode(Number.parseInt(escaped.slice(1), 16)));
  }
  return decoded(Buffer.from(text, "latin1"));
}

/** The text of `UTF-8'en'%e2%82%ac.jpg` (RFC 8187); undefined where it is none. */
function extendedText(parameter: string): string | undefined {
  const [, charset = "", text = ""] = /^"?([\w-]+)'[^']*'([^"]*)"?$/.exec(parameter) ?? [];
  if (!/^(utf-8|iso-8859-1)$/i.test(charset) || /%(?![\da-f]{2})/i.test(text)) return undefined;
  const bytes = text.replace(/%(..)/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return charset.toLowerCase() === "utf-8" ? decoded(Buffer.from(bytes, "latin1")) : bytes;
}

/** UTF-8, or Latin-1 where it is none. */
function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes.toString("latin1");
  }
}
