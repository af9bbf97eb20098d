import type { Cicp } from "../colours.ts";
import { readSequenceColours } from "./av1.ts";
import { readHevcColours } from "./hevc.ts";

/**
 * Colours of an AVIF's primary picture: by the `nclx` colour box among its properties, else by the stream of AV1 itself.
 * @returns undefined where nothing is told, or nothing that can be read
 * Source: ISO/IEC 14496-12, sections 4.2, 8.11 and 12.1.5; ISO/IEC 23008-12, section 6.
 */
export function readHeif(bytes: Uint8Array): Cicp | undefined {
  return withinBoxes(() => {
    const child = metaBoxes(bytes);
    const item = primaryItem(child("pitm"));
    return item === undefined ? undefined : (nclxOf(item, child("iprp")) ?? streamColours(bytes, item, child("iloc")));
  });
}

/**
 * Colours of a HEIC's primary picture: an ICC profile, code points, or both, by its colour boxes; where those have no code points, by the configuration of
 * HEVC, of a picture of tiles by that of the first.
 */
export function heifColours(bytes: Uint8Array): { readonly profile?: Uint8Array; readonly cicp?: Cicp } {
  const found = withinBoxes(() => {
    const child = metaBoxes(bytes);
    const item = primaryItem(child("pitm"));
    if (item === undefined) return {};
    const configured = configurationOf(item, child) ?? configurationOf(firstTile(item, child("iref")), child);
    const cicp = nclxOf(item, child("iprp")) ?? (configured && withinBoxes(() => readHevcColours(configured)));
    const profile = colourBoxes(item, child("iprp")).find((box) => ["prof", "rICC"].includes(typeOf(box)));
    return { ...(profile && { profile: profile.subarray(4) }), ...(cicp && { cicp }) };
  });
  return found ?? {};
}

/** Whether the alpha of an AVIF's primary picture is multiplied into its colours: a reference of the type `prem`. */
export function isMultipliedHeif(bytes: Uint8Array): boolean {
  const found = withinBoxes(() => {
    const child = metaBoxes(bytes);
    const [item, references] = [primaryItem(child("pitm")), child("iref")];
    if (item === undefined || !references) return false;
    return boxes(references.subarray(4)).some(({ type, content }) => {
      const from = references[0] === 0 ? viewOf(content).getUint16(0) : viewOf(content).getUint32(0);
      return type === "prem" && from === item;
    });
  });
  return found ?? false;
}

function withinBoxes<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // A place beyond the end of a box.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Contents of the boxes in the first meta box, by their type. */
function metaBoxes(bytes: Uint8Array): (type: string) => Uint8Array | undefined {
  const meta = boxes(bytes).find(({ type }) => type === "meta");
  const children = meta ? boxes(meta.content.subarray(4)) : [];
  return (name) => children.find(({ type }) => type === name)?.content;
}

interface Box {
  readonly type: string;
  readonly content: Uint8Array;
}

/** Boxes that stand one behind the other, up to the first that does not fit. */
export function boxes(bytes: Uint8Array): Box[] {
  const view = viewOf(bytes);
  const found: Box[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const isLong = view.getUint32(at) === 1;
    const size = isLong ? Number(view.getBigUint64(at + 8)) : view.getUint32(at) || bytes.length - at;
    const head = isLong ? 16 : 8;
    if (size < head || at + size > bytes.length) break;
    found.push({ type, content: bytes.subarray(at + head, at + size) });
    at += size;
  }
  return found;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function primaryItem(pitm: Uint8Array | undefined): number | undefined {
  if (!pitm) return undefined;
  return pitm[0] === 0 ? viewOf(pitm).getUint16(4) : viewOf(pitm).getUint32(4);
}

function nclxOf(item: number, iprp: Uint8Array | undefined): Cicp | undefined {
  const content = colourBoxes(item, iprp).find((box) => typeOf(box) === "nclx");
  if (!content) return undefined;
  const view = viewOf(content);
  return { primaries: view.getUint16(4), transfer: view.getUint16(6) };
}

const typeOf = (content: Uint8Array) => String.fromCharCode(...content.subarray(0, 4));

const colourBoxes = (item: number, iprp: Uint8Array | undefined) => propertyBoxes("colr", item, iprp);

function configurationOf(
  item: number | undefined,
  child: (type: string) => Uint8Array | undefined,
): Uint8Array | undefined {
  return item === undefined ? undefined : propertyBoxes("hvcC", item, child("iprp"))[0];
}

/** The first of the pictures that an item is derived from, such as the tiles of a grid. Source: ISO/IEC 23008-12, section 6.6.2.3. */
function firstTile(item: number, iref: Uint8Array | undefined): number | undefined {
  if (!iref) return undefined;
  const isWide = iref[0] !== 0;
  const number = (content: Uint8Array, at: number) =>
    isWide ? viewOf(content).getUint32(at) : viewOf(content).getUint16(at);
  const derived = boxes(iref.subarray(4)).find(({ type, content }) => type === "dimg" && number(content, 0) === item);
  const size = isWide ? 4 : 2;
  return derived && number(derived.content, size + 2);
}

/** Contents of the boxes of a type among an item's properties. */
function propertyBoxes(wanted: string, item: number, iprp: Uint8Array | undefined): Uint8Array[] {
  if (!iprp) return [];
  const children = boxes(iprp);
  const properties = boxes(children.find(({ type }) => type === "ipco")?.content ?? new Uint8Array());
  const indices = children.flatMap(({ type, content }) => (type === "ipma" ? propertiesOf(item, content) : []));
  return indices.flatMap((index) => {
    const property = properties[index - 1];
    return property?.type === wanted ? [property.content] : [];
  });
}

/** Places, from 1, of an item's properties. */
function propertiesOf(item: number, ipma: Uint8Array): number[] {
  const view = viewOf(ipma);
  const isWide = (ipma[3]! & 1) === 1;
  let at = 8;
  for (let entries = view.getUint32(4); entries > 0; entries--) {
    const id = ipma[0] === 0 ? view.getUint16(at) : view.getUint32(at);
    at += ipma[0] === 0 ? 2 : 4;
    const count = view.getUint8(at++);
    const indices = Array.from({ length: count }, (_, i) =>
      isWide ? view.getUint16(at + 2 * i) & 0x7fff : view.getUint8(at + i) & 0x7f,
    );
    if (id === item) return indices;
    at += count * (isWide ? 2 : 1);
  }
  return [];
}

/** Where the item's data lie in the file, read in one piece. */
function streamColours(bytes: Uint8Array, item: number, iloc: Uint8Array | undefined): Cicp | undefined {
  if (!iloc) return undefined;
  const view = viewOf(iloc);
  const version = view.getUint8(0);
  let at = 4;
  const number = (size: number): number => {
    const from = at;
    at += size;
    if (size === 0) return 0;
    return size === 8 ? Number(view.getBigUint64(from)) : size === 4 ? view.getUint32(from) : view.getUint16(from);
  };
  const sizes = number(2);
  const [offsetSize, lengthSize, baseSize] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version === 0 ? 0 : sizes & 15;
  const idSize = version < 2 ? 2 : 4;
  for (let items = number(idSize); items > 0; items--) {
    const id = number(idSize);
    const inFile = version === 0 || (number(2) & 15) === 0;
    at += 2;
    const base = number(baseSize);
    const extents = number(2);
    const next = at + extents * (indexSize + offsetSize + lengthSize);
    if (id === item) {
      at += indexSize;
      const start = base + number(offsetSize);
      const length = number(lengthSize);
      return inFile && extents > 0
        ? readSequenceColours(bytes.subarray(start, length ? start + length : undefined))
        : undefined;
    }
    at = next;
  }
  return undefined;
}
