import { inflateSync } from "node:zlib";
import { DatasetError } from "../problems.ts";

/** A variable of a MAT-file: numbers and cells in MATLAB's order, columns first; text row by row. */
export type MatValue =
  | { readonly kind: "numbers"; readonly shape: readonly number[]; readonly values: readonly number[] }
  | { readonly kind: "text"; readonly rows: readonly string[] }
  | { readonly kind: "cell"; readonly shape: readonly number[]; readonly cells: readonly MatValue[] };

const miInt8 = 1;
const miMatrix = 14;
const miCompressed = 15;
const miUtf8 = 16;
const miUtf16 = 17;
const mxCell = 1;
const mxChar = 4;
const mxDouble = 6;
const mxUint64 = 15;
const complexFlag = 0x0800;
const headerBytes = 128;
/** A score table is never larger; a damaged or hostile file is refused instead of filling the memory. */
const maximumBytes = 2 ** 28;

/** Bytes of one number of each storage type of the format; types that hold no numbers are absent. */
const bytesOf: Readonly<Record<number, number>> = {
  [miInt8]: 1,
  2: 1,
  3: 2,
  4: 2,
  5: 4,
  6: 4,
  7: 4,
  9: 8,
  12: 8,
  13: 8,
  [miUtf8]: 1,
  [miUtf16]: 2,
  18: 4,
};

/**
 * Reads the real numeric, character and cell arrays of a MAT-file of level 5 (MATLAB 5 to 7, `save -v6` and `-v7`), in
 * either byte order, compressed or not. Structures, sparse arrays and objects are passed over.
 * Source: MathWorks, "MAT-File Format", chapter 1.
 * @param path stands in errors
 * @returns variables by name
 * @throws DatasetError when the file is of another version, cut off or damaged
 */
export function readMat(bytes: Uint8Array, path: string): Map<string, MatValue> {
  const fail = (what: string) => new DatasetError(`The MAT-file ${path} ${what}`);
  const mark = String.fromCharCode(bytes[126] ?? 0, bytes[127] ?? 0);
  if (new TextDecoder().decode(bytes.subarray(0, 10)) === "MATLAB 7.3" || bytes[0] === 0x89) {
    throw fail("is of version 7.3 (HDF5); save it again with `save -v7`.");
  }
  if (bytes.length < headerBytes || (mark !== "IM" && mark !== "MI")) throw fail("is no MAT-file of level 5.");
  const littleEndian = mark === "IM";
  const variables = new Map<string, MatValue>();
  try {
    for (const element of new Elements(bytes.subarray(headerBytes), littleEndian)) {
      const matrix =
        element.type === miCompressed
          ? new Elements(inflateSync(element.data, { maxOutputLength: maximumBytes }), littleEndian).next()
          : element;
      if (matrix.type !== miMatrix) continue;
      const { name, value } = readMatrix(matrix.data, littleEndian);
      if (value) variables.set(name, value);
    }
  } catch (error) {
    throw new DatasetError(fail(`is cut off or damaged: ${(error as Error).message}`).message, { cause: error });
  }
  return variables;
}

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
}

/** The data elements that stand one after the other in a piece of a file. */
class Elements implements Iterable<Element> {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly littleEndian: boolean;
  #at = 0;

  constructor(bytes: Uint8Array, littleEndian: boolean) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = littleEndian;
  }

  /** @throws RangeError at the end, or when an element reaches beyond it */
  next(): Element {
    const first = this.#view.getUint32(this.#at, this.littleEndian);
    // A small element has its size in the upper half of the first word, and its data in the second.
    const small = first >>> 16;
    const type = small ? first & 0xffff : first;
    const start = this.#at + (small ? 4 : 8);
    const size = small || this.#view.getUint32(this.#at + 4, this.littleEndian);
    if (start + size > this.#bytes.length || (small && size > 4)) {
      throw new RangeError(`an element of ${size} bytes does not fit into the ${this.#bytes.length} there are.`);
    }
    // Elements begin at multiples of 8 bytes, except after compressed ones.
    const end = small ? this.#at + 8 : start + size;
    this.#at = type === miCompressed ? end : Math.min(this.#bytes.length, Math.ceil(end / 8) * 8);
    return { type, data: this.#bytes.subarray(start, start + size) };
  }

  *[Symbol.iterator](): Generator<Element> {
    while (this.#at < this.#bytes.length) yield this.next();
  }
}

/** An array: flags, dimensions, name, then by its class one element of numbers or one matrix for every cell. */
function readMatrix(bytes: Uint8Array, littleEndian: boolean): { name: string; value: MatValue | undefined } {
  // An empty matrix may be written as an element without a body.
  if (bytes.length === 0) return { name: "", value: { kind: "numbers", shape: [0, 0], values: [] } };
  const elements = new Elements(bytes, littleEndian);
  const flags = numbersOf(elements.next(), littleEndian)[0]!;
  const shape = numbersOf(elements.next(), littleEndian);
  const name = new TextDecoder().decode(elements.next().data);
  const count = shape.reduce((a, b) => a * b, 1);
  const kind = flags & 0xff;
  if (kind === mxCell) {
    const cells: MatValue[] = [];
    for (let i = 0; i < count; i++) {
      const cell = readMatrix(elements.next().data, littleEndian).value;
      cells.push(cell ?? { kind: "numbers", shape: [0, 0], values: [] });
    }
    return { name, value: { kind: "cell", shape, cells } };
  }
  if (kind === mxChar) return { name, value: { kind: "text", rows: textRows(elements.next(), shape, littleEndian) } };
  if (kind < mxDouble || kind > mxUint64 || flags & complexFlag) return { name, value: undefined };
  const values = numbersOf(elements.next(), littleEndian);
  if (values.length !== count) throw new RangeError(`"${name}" has ${values.length} numbers instead of ${count}.`);
  return { name, value: { kind: "numbers", shape, values } };
}

function numbersOf({ type, data }: Element, littleEndian: boolean): number[] {
  const size = bytesOf[type];
  if (size === undefined) throw new RangeError(`data type ${type} where numbers are expected.`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const read: Readonly<Record<number, (at: number) => number>> = {
    [miInt8]: (at) => view.getInt8(at),
    3: (at) => view.getInt16(at, littleEndian),
    5: (at) => view.getInt32(at, littleEndian),
    6: (at) => view.getUint32(at, littleEndian),
    7: (at) => view.getFloat32(at, littleEndian),
    9: (at) => view.getFloat64(at, littleEndian),
    12: (at) => Number(view.getBigInt64(at, littleEndian)),
    13: (at) => Number(view.getBigUint64(at, littleEndian)),
  };
  const unsigned = (at: number) =>
    size === 1 ? view.getUint8(at) : size === 2 ? view.getUint16(at, littleEndian) : view.getUint32(at, littleEndian);
  const one = read[type] ?? unsigned;
  return Array.from({ length: Math.floor(data.length / size) }, (_, i) => one(i * size));
}

/** Characters stand column by column; a row is one string. */
function textRows(element: Element, shape: readonly number[], littleEndian: boolean): string[] {
  const codes =
    element.type === miUtf8
      ? Array.from(new TextDecoder().decode(element.data), (c) => c.codePointAt(0)!)
      : numbersOf(element, littleEndian);
  const [height = 0] = shape;
  const width = height ? codes.length / height : 0;
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => String.fromCodePoint(codes[column * height + row]!)).join(""),
  );
}
