import { setImmediate as nextTurn } from "node:timers/promises";
import { EntropyBits, EntropyError, ended, type HuffmanTable, huffmanTable } from "./entropy.ts";
import { type Finding, Missing, percent } from "./finding.ts";
import { type Component, type Frame, frameOf, type Scan, scanOf } from "./frame.ts";
import { firstPicture, type Segment, segments, sos } from "./jpeg.ts";

/** Blocks after which others get their turn. */
const blocksPerTurn = 20_000;
/** Zero bytes up to which they may fill up the data of a scan. */
const mostPadding = 16;
/** Bytes before a marker, in a progressive picture, up to which they may be none of the data. */
const mostBytesBetween = 256;

/**
 * Reads the scans of a JPEG's first picture, all codes of every block, and tells whether any block is missing.
 * Source: ITU-T T.81, annexes B, F.2 and G.2.
 */
export async function lookAtJpeg(file: Uint8Array): Promise<Finding> {
  const picture = firstPicture(file);
  const bytes = Buffer.from(picture.buffer, picture.byteOffset, picture.byteLength);
  // Arithmetic coding is left to the decoder.
  for (const { code } of segments(bytes))
    if (code === 0xc9 || code === 0xca) return { whole: true, bytes, unread: true };
  const walk = new JpegWalk(bytes);
  const end = await walk.run();
  return { whole: true, bytes: Buffer.concat([bytes.subarray(0, end), Uint8Array.of(0xff, 0xd9)]) };
}

class JpegWalk {
  readonly #bytes: Buffer;
  readonly #tables = new Map<number, HuffmanTable>();
  readonly #quantisations = new Map<number, number>();
  #frame: Frame | undefined;
  #interval = 0;
  #scans = 0;
  #endOfBand = 0;
  #blocks = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @returns where the last scan ends  @throws Missing when the picture is not whole */
  async run(): Promise<number> {
    let at = 2;
    let closed = false;
    for (let next = this.#next(at); next; next = this.#next(at)) {
      at = next.end;
      closed = next.code === 0xd9;
      if (closed) {
        at = next.at;
        break;
      }
      if (next.code === sos) at = await this.#scan(next);
      else this.#take(next);
    }
    if (!this.#frame) throw new Missing("not-a-picture", "The JPEG has no frame header.");
    if (this.#scans === 0) throw new Missing("truncated", "The JPEG ends before its pixels begin.");
    this.#expectAllScans(closed);
    return at;
  }

  #next(at: number): Segment | undefined {
    return segments(this.#bytes, at).next().value ?? undefined;
  }

  #take({ code, data, end }: Segment): void {
    if (end > this.#bytes.length) throw new Missing("truncated", "The JPEG ends within its header.");
    if (code === 0xc4) this.#takeHuffman(data);
    else if (code === 0xdb) this.#takeQuantisation(data);
    else if (code === 0xdd) this.#interval = data[0]! * 256 + data[1]!;
    else if (code === 0xc0 || code === 0xc1 || code === 0xc2) this.#frame = frameOf(code, data, this.#quantisations);
    else if (code > 0xc4 && code < 0xd0 && code !== 0xc8 && code !== 0xcc)
      throw new Missing("unsupported", "It is a JPEG with hierarchical coding.");
    else if (code === 0xc3) throw new Missing("unsupported", "It is a JPEG with lossless coding.");
  }

  #takeHuffman(data: Uint8Array): void {
    for (let at = 0; at + 17 <= data.length; ) {
      const counts = data.subarray(at + 1, at + 17);
      const end = at + 17 + counts.reduce((a, b) => a + b, 0);
      this.#tables.set(data[at]!, huffmanTable(counts, data.subarray(at + 17, end)));
      at = end;
    }
  }

  #takeQuantisation(data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      const wide = data[at]! >> 4 > 0;
      const first = wide ? data[at + 1]! * 256 + data[at + 2]! : data[at + 1]!;
      this.#quantisations.set(data[at]! & 15, first);
      at += wide ? 129 : 65;
    }
  }

  /** @returns where the scan ends */
  async #scan({ data, end }: Segment): Promise<number> {
    const frame = this.#frame;
    if (!frame) throw new Missing("damaged", "A scan of the JPEG comes before its frame header.");
    this.#scans++;
    const scan = scanOf(frame, data);
    const mcus = scan.across * scan.down;
    const bits = new EntropyBits(this.#bytes, end);
    let [at, done] = [end, 0];
    for (let restarts = 0; ; restarts++) {
      const wanted = Math.min(mcus, this.#interval ? done + this.#interval : mcus);
      done = await this.#mcus(scan, bits, done, wanted, mcus);
      at = this.#behind(bits, scan, done === mcus);
      if (done === mcus) break;
      if (this.#bytes[at + 1] !== 0xd0 + (restarts & 7)) this.#lacks(at, done, mcus);
      bits.restart(at + 2);
    }
    for (const { component } of scan.parts) component.lowest.fill(scan.low, scan.from, scan.to + 1);
    return at;
  }

  /** Reads MCUs `done` to `wanted`. */
  async #mcus(scan: Scan, bits: EntropyBits, done: number, wanted: number, all: number): Promise<number> {
    this.#endOfBand = 0;
    for (const { component } of scan.parts) component.prediction = 0;
    for (; done < wanted; done++) {
      try {
        this.#mcu(scan, bits, done);
      } catch (error) {
        if (!(error instanceof EntropyError)) throw error;
        this.#lacks(markerFrom(this.#bytes, bits.at), done, all, error);
      }
      if (this.#blocks >= blocksPerTurn) {
        this.#blocks = 0;
        await nextTurn();
      }
    }
    return done;
  }

  #mcu(scan: Scan, bits: EntropyBits, index: number): void {
    const [row, column] = [Math.floor(index / scan.across), index % scan.across];
    const alone = scan.parts.length === 1;
    for (const { component, dc, ac } of scan.parts) {
      const [across, down] = alone ? [1, 1] : [component.across, component.down];
      const tables = [this.#tables.get(dc), this.#tables.get(16 + ac)] as const;
      for (let i = 0; i < across * down; i++) {
        const y = row * down + Math.floor(i / across);
        this.#blocks++;
        this.#block(scan, component, bits, tables, y * component.stride + column * across + (i % across));
      }
    }
  }

  #block(scan: Scan, component: Component, bits: EntropyBits, tables: Tables, block: number): void {
    const { progressive, precision } = this.#frame!;
    if (scan.from === 0 && scan.high > 0) bits.take(1);
    else if (scan.from === 0) {
      const size = bits.symbol(expectTable(tables[0]));
      if (size > precision + 3) throw new EntropyError("it has a difference that no picture has");
      component.prediction += bits.signed(size);
      // Of samples around 0, 8 times the mean; twice as much is out of the question.
      if (Math.abs(component.prediction * 2 ** scan.low) * component.quantisation > 2 ** (precision + 3))
        throw new EntropyError("it has a brightness that no picture has");
    }
    if (!progressive) sequential(bits, expectTable(tables[1]), precision);
    else if (scan.to > 0) {
      const marks = component.marks.subarray(block * 8, block * 8 + 8);
      if (scan.high === 0) this.#firstBand(scan, bits, expectTable(tables[1]), marks);
      else this.#refinedBand(scan, bits, expectTable(tables[1]), marks);
    }
  }

  #firstBand({ from, to }: Scan, bits: EntropyBits, table: HuffmanTable, marks: Uint8Array): void {
    if (this.#endOfBand > 0) {
      this.#endOfBand--;
      return;
    }
    for (let k = from; k <= to; k++) {
      const symbol = bits.symbol(table);
      const [zeros, size] = [symbol >> 4, symbol & 15];
      if (size > 0) {
        k += zeros;
        if (k > to) throw new EntropyError("it has more coefficients than a block");
        bits.take(size);
        marks[k >> 3]! |= 1 << (k & 7);
      } else if (zeros === 15) k += 15;
      else {
        this.#endOfBand = 2 ** zeros - 1 + bits.take(zeros);
        return;
      }
    }
  }

  /** A coefficient that is not 0 yet takes a bit each time it is passed; others are counted as zeros. */
  #refinedBand({ from, to }: Scan, bits: EntropyBits, table: HuffmanTable, marks: Uint8Array): void {
    let k = from;
    const isMarked = () => (marks[k >> 3]! >> (k & 7)) & 1;
    for (; k <= to && this.#endOfBand === 0; k++) {
      const symbol = bits.symbol(table);
      const size = symbol & 15;
      let zeros = symbol >> 4;
      if (size > 1) throw new EntropyError("it has a coefficient of more than one bit where one is due");
      if (size === 1) bits.take(1);
      else if (zeros < 15) {
        this.#endOfBand = 2 ** zeros + bits.take(zeros);
        break;
      }
      for (; k <= to; k++) {
        if (isMarked()) bits.take(1);
        else if (zeros-- === 0) break;
      }
      if (size === 1) {
        if (k > to) throw new EntropyError("it has more coefficients than a block");
        marks[k >> 3]! |= 1 << (k & 7);
      }
    }
    if (this.#endOfBand === 0) return;
    for (; k <= to; k++) if (isMarked()) bits.take(1);
    this.#endOfBand--;
  }

  /**
   * Where the marker behind an interval is. Bytes before it are no harm where the last byte of the blocks is filled up as
   * encoders do it, unless they are blocks as well: then others were lost before, and these are not where they belong.
   */
  #behind(bits: EntropyBits, scan: Scan, isLast: boolean): number {
    const at = markerFrom(this.#bytes, bits.at);
    if (bits.isAtEnd) return at;
    const rest = bits.rest(at);
    if (rest.length === 0) return at;
    const isPadding = rest.length <= mostPadding && rest.every((byte) => byte === 0) && bits.isFilledUp(0);
    if (isPadding) return at;
    const tooMany = `has ${rest.length} bytes too many for its blocks: some were written over`;
    if (!bits.isFilledUp(1)) throw new Missing("damaged", `The JPEG's data ${tooMany}.`);
    if (this.#frame!.progressive) {
      if (rest.length <= mostBytesBetween) return at;
      throw new Missing("damaged", `Scan ${this.#scans} of the JPEG ${tooMany}.`);
    }
    let extra = 0;
    try {
      // Rows that the header does not count are no harm.
      for (; !bits.isAtEnd; extra++) this.#mcu(scan, bits, extra);
    } catch (error) {
      if (!(error instanceof EntropyError)) throw error;
      return at;
    }
    if (isLast && extra % scan.across === 0) return at;
    throw new Missing("damaged", `The JPEG's data ${tooMany}.`);
  }

  /** @throws Missing for a scan that has `done` of `all` MCUs before the marker at `at` */
  #lacks(at: number, done: number, all: number, error?: EntropyError): never {
    const code = this.#bytes[at + 1];
    const scan = this.#frame!.progressive ? ` of scan ${this.#scans}` : "";
    // Nothing but the end, or what follows a picture, is behind the data: the rest was never there.
    if ((!error || error === ended) && (code === undefined || code === 0xd9 || code === 0xd8))
      throw new Missing("truncated", `The JPEG's data ends after ${percent(done, all)} of its blocks${scan}.`);
    const why = error?.message ?? "a part is missing";
    throw new Missing("damaged", `The JPEG's data is broken after ${percent(done, all)} of its blocks${scan}: ${why}.`);
  }

  #expectAllScans(closed: boolean): void {
    const { components, progressive } = this.#frame!;
    const absent = components.some(({ lowest }) => lowest[0] === 99);
    if (absent) throw new Missing("truncated", "The JPEG ends before the scan of every component has come.");
    // A picture may do without its last scans when it says that it ends there.
    const coarse = progressive && components.some(({ lowest }) => lowest.some((bit) => bit > 0));
    if (coarse && !closed)
      throw new Missing("truncated", `The JPEG ends after ${this.#scans} scans, before its last ones.`);
  }
}

type Tables = readonly [HuffmanTable | undefined, HuffmanTable | undefined];

function expectTable(table: HuffmanTable | undefined): HuffmanTable {
  if (!table) throw new Missing("damaged", "The JPEG lacks a Huffman table.");
  return table;
}

function sequential(bits: EntropyBits, table: HuffmanTable, precision: number): void {
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(table);
    const size = symbol & 15;
    if (size > 0) {
      k += symbol >> 4;
      if (k > 63) throw new EntropyError("it has more coefficients than a block");
      if (size > precision + 2) throw new EntropyError("it has a coefficient that no picture has");
      bits.take(size);
    } else if (symbol === 0xf0) k += 15;
    else return;
  }
}

function markerFrom(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const code = bytes[at + 1];
    if (code !== 0 && code !== 0xff) return at;
  }
  return bytes.length;
}
