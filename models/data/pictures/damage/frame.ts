import { Missing } from "./finding.ts";

/** A component of the frame: its blocks of 8 x 8, by rows. */
export interface Component {
  readonly id: number;
  /** Blocks of an MCU across and down. */
  readonly across: number;
  readonly down: number;
  /** Blocks that a scan of this component alone has. */
  readonly columns: number;
  readonly rows: number;
  /** Blocks of a row with those that fill up the last MCU. */
  readonly stride: number;
  readonly quantisation: number;
  /** Lowest bit that has come of each coefficient; 99 for none. */
  readonly lowest: Uint8Array;
  /** A bit for each coefficient that is not 0, of the blocks of a progressive picture: [rows, stride, 8]. */
  readonly marks: Uint8Array;
  prediction: number;
}

export interface Frame {
  readonly progressive: boolean;
  /** Bits of a sample. */
  readonly precision: number;
  readonly components: readonly Component[];
  readonly mcusAcross: number;
  readonly mcusDown: number;
}

/** What a scan says of itself, and which blocks an MCU of it has. */
export interface Scan {
  readonly parts: readonly { readonly component: Component; readonly dc: number; readonly ac: number }[];
  readonly from: number;
  readonly to: number;
  readonly high: number;
  readonly low: number;
  readonly across: number;
  readonly down: number;
}

/** @param code of the frame header; 0xC2: progressive  @throws Missing for a picture that cannot be decoded here */
export function frameOf(code: number, data: Uint8Array, quantisations: ReadonlyMap<number, number>): Frame {
  const [precision, height, width] = [data[0]!, data[1]! * 256 + data[2]!, data[3]! * 256 + data[4]!];
  const listed = Array.from({ length: data[5]! }, (_, i) => data.subarray(6 + 3 * i, 9 + 3 * i));
  if (!(width > 0 && height > 0 && listed.length > 0 && listed.every((part) => part.length === 3 && part[1]! & 15)))
    throw new Missing("not-a-picture", `The JPEG's header has ${width} x ${height} pixels.`);
  if (precision !== 8) throw new Missing("unsupported", `It is a JPEG with ${precision} bits a sample.`);
  const [most, mostDown] = [0, 1].map((i) => Math.max(...listed.map((part) => (part[1]! >> (4 - 4 * i)) & 15))) as [
    number,
    number,
  ];
  const [mcusAcross, mcusDown] = [Math.ceil(width / (8 * most)), Math.ceil(height / (8 * mostDown))];
  const progressive = code === 0xc2;
  const components = listed.map((part): Component => {
    const [across, down] = [part[1]! >> 4, part[1]! & 15];
    const stride = mcusAcross * across;
    return {
      ...{ id: part[0]!, across, down, stride, prediction: 0 },
      columns: Math.ceil(Math.ceil((width * across) / most) / 8),
      rows: Math.ceil(Math.ceil((height * down) / mostDown) / 8),
      quantisation: quantisations.get(part[2]!) ?? 1,
      lowest: new Uint8Array(64).fill(99),
      marks: new Uint8Array(progressive ? stride * mcusDown * down * 8 : 0),
    };
  });
  return { progressive, precision, components, mcusAcross, mcusDown };
}

/** @param data of a scan's header  @throws Missing for a header that makes no sense */
export function scanOf(frame: Frame, data: Uint8Array): Scan {
  const count = data[0] ?? 0;
  const parts = Array.from({ length: count }, (_, i) => {
    const component = frame.components.find(({ id }) => id === data[1 + 2 * i]);
    const tables = data[2 + 2 * i];
    if (!component || tables === undefined) throw new Missing("damaged", "A scan of the JPEG names an unknown part.");
    return { component, dc: tables >> 4, ac: tables & 15 };
  });
  const [first] = parts;
  if (!first) throw new Missing("damaged", "A scan of the JPEG has no parts.");
  const [from, to, bits] = data.subarray(1 + 2 * count);
  const alone = count === 1;
  const size = alone
    ? { across: first.component.columns, down: first.component.rows }
    : { across: frame.mcusAcross, down: frame.mcusDown };
  // Some cameras leave the last three bytes 0, which mean something in progressive pictures only.
  if (!frame.progressive) return { parts, from: 0, to: 63, high: 0, low: 0, ...size };
  if (bits === undefined || to! > 63 || from! > to!) throw new Missing("damaged", "A scan of the JPEG makes no sense.");
  return { parts, from: from!, to: to!, high: bits >> 4, low: bits & 15, ...size };
}
