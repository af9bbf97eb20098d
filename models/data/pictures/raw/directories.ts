/** Bytes of a value of each TIFF type; 0 for what there is not. */
const sizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** Where the values of a tag are: `at` counts from the start of the file. */
interface Entry {
  readonly type: number;
  readonly count: number;
  readonly at: number;
}

/** One directory of a TIFF. */
export class Directory {
  readonly #entries: ReadonlyMap<number, Entry>;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(view: DataView, little: boolean, entries: ReadonlyMap<number, Entry>) {
    this.#view = view;
    this.#little = little;
    this.#entries = entries;
  }

  has(tag: number): boolean {
    return this.#entries.has(tag);
  }

  /** Whole numbers of a tag, at most `most`; none where it is absent, of another type or outside of the file. */
  numbers(tag: number, most = 64): number[] {
    const entry = this.#entries.get(tag);
    const size = entry && sizes[entry.type]!;
    if (!entry || !(size === 1 || size === 2 || size === 4)) return [];
    const read = { 1: "getUint8", 2: "getUint16", 4: "getUint32" } as const;
    const count = Math.min(entry.count, most);
    if (entry.at + count * size > this.#view.byteLength) return [];
    return Array.from({ length: count }, (_, i) => this.#view[read[size]](entry.at + i * size, this.#little));
  }

  /** Where the bytes of a tag lie. */
  place(tag: number): { readonly start: number; readonly length: number } | undefined {
    const entry = this.#entries.get(tag);
    return entry && { start: entry.at, length: entry.count * sizes[entry.type]! };
  }
}

/** Directories of a file that are looked at: cameras write about ten. */
const most = 64;

/**
 * All directories of a TIFF or of what cameras make of one (ORF and RW2 have numbers of their own in the place of 42): the chain that
 * begins in the header, and those that the tag SubIFDs (330) names. What leads outside of the file or in a circle ends there.
 * Source: Aldus, TIFF 6.0, section 2; Adobe, TIFF Tech Note 1.
 */
export function directoriesOf(bytes: Uint8Array): Directory[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const found: Directory[] = [];
  const seen = new Set<number>();
  const waiting = view.byteLength >= 8 ? [view.getUint32(4, little)] : [];
  while (waiting.length > 0 && found.length < most) {
    const at = waiting.shift()!;
    if (at < 8 || at + 2 > view.byteLength || seen.has(at)) continue;
    seen.add(at);
    const directory = directoryAt(bytes, at);
    if (!directory) continue;
    found.push(directory);
    waiting.push(...directory.numbers(330));
    const end = at + 2 + 12 * view.getUint16(at, little);
    if (end + 4 <= view.byteLength) waiting.push(view.getUint32(end, little));
  }
  return found;
}

/** The directory of a TIFF that begins there; undefined where it leads outside of the file. */
export function directoryAt(bytes: Uint8Array, at: number): Directory | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  if (at < 8 || at + 2 > view.byteLength) return undefined;
  const count = view.getUint16(at, little);
  if (at + 2 + 12 * count > view.byteLength) return undefined;
  return new Directory(view, little, entriesAt(view, little, at + 2, count));
}

function entriesAt(view: DataView, little: boolean, from: number, count: number): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  for (let at = from; at < from + 12 * count; at += 12) {
    const [tag, type] = [view.getUint16(at, little), view.getUint16(at + 2, little)];
    const values = view.getUint32(at + 4, little);
    const isInside = values * (sizes[type] ?? 0) > 4;
    entries.set(tag, {
      type: sizes[type] ? type : 0,
      count: values,
      at: isInside ? view.getUint32(at + 8, little) : at + 8,
    });
  }
  return entries;
}
