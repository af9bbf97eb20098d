import sharp, { type OverlayOptions, type Sharp } from "sharp";
import type { Device } from "../../../engine/device/device.ts";
import { Random } from "../../../engine/random.ts";
import {
  amountsOf,
  type DistortionName,
  distort,
  distortionNames,
  distortions,
  fromBytes,
  type LevelSet,
  toBytes,
} from "./distortions.ts";

/** A square picture of a sheet: interleaved RGB. */
export interface Tile {
  readonly pixels: Uint8Array;
  readonly side: number;
}

export interface SheetOptions {
  /** @default all 25 */
  readonly kinds?: readonly DistortionName[];
  /** @default "kadid" */
  readonly levels?: LevelSet;
  readonly seed?: number;
  readonly stretch?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

const gap = 3;
const labelWidth = 208;
const headHeight = 22;
const columns = 6;

/**
 * One picture of distortions by levels: a row for each kind, the clean tile and the five levels beside one another, in two blocks.
 * Rows take the tiles in turn.
 * @param tiles all of the same side
 * @returns an image of sharp, to be written in the format that is wanted
 */
export async function distortionSheet(
  device: Device,
  tiles: readonly Tile[],
  { kinds = distortionNames, levels = "kadid", seed = 1, stretch = false, onProgress }: SheetOptions = {},
): Promise<Sharp> {
  const side = tiles[0]!.side;
  const rows = Math.ceil(kinds.length / 2);
  const blockWidth = labelWidth + columns * (side + gap) + 2 * gap;
  const width = (kinds.length > 1 ? 2 : 1) * blockWidth;
  const height = headHeight + rows * (side + gap);
  const overlays: OverlayOptions[] = [];
  for (const [i, kind] of kinds.entries()) {
    const left = (i < rows ? 0 : blockWidth) + labelWidth;
    const top = headHeight + (i % rows) * (side + gap);
    const { pixels } = tiles[i % tiles.length]!;
    using clean = fromBytes(device, pixels, side, side);
    for (let level = 0; level < columns; level++) {
      const bytes = level === 0 ? pixels : await degradedBytes(clean, kind, level, { levels, seed, stretch });
      const raw = { width: side, height: side, channels: 3 } as const;
      overlays.push({ input: Buffer.from(bytes), raw, left: left + level * (side + gap), top });
    }
    onProgress?.(i + 1, kinds.length);
  }
  const labels = Buffer.from(labelled(kinds, { levels, side, rows, blockWidth, width, height }));
  return sharp({ create: { width, height, channels: 3, background: "#fff" } }).composite([
    ...overlays,
    { input: labels, left: 0, top: 0 },
  ]);
}

async function degradedBytes(
  clean: ReturnType<typeof fromBytes>,
  kind: DistortionName,
  level: number,
  { levels, seed, stretch }: { levels: LevelSet; seed: number; stretch: boolean },
): Promise<Uint8Array> {
  const word = new Random(seed, `sheet/${kind}/${level}`).word();
  using degraded = await distort(clean, kind, level, word, { levels, stretch });
  return toBytes(degraded);
}

interface Layout {
  readonly levels: LevelSet;
  readonly side: number;
  readonly rows: number;
  readonly blockWidth: number;
  readonly width: number;
  readonly height: number;
}

/** SVG of the words on a sheet. */
function labelled(kinds: readonly DistortionName[], { levels, side, rows, blockWidth, width, height }: Layout): string {
  const text = (x: number, y: number, size: number, words: string, anchor = "start", fill = "#222") =>
    `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" fill="${fill}">${words}</text>`;
  const blocks = kinds.length > 1 ? [0, blockWidth] : [0];
  const heads = blocks.flatMap((x) =>
    ["clean", 1, 2, 3, 4, 5].map((word, i) =>
      text(x + labelWidth + i * (side + gap) + side / 2, headHeight - 7, 12, String(word), "middle"),
    ),
  );
  const names = kinds.flatMap((kind, i) => {
    const x = i < rows ? 6 : blockWidth + 6;
    const y = headHeight + (i % rows) * (side + gap) + side / 2;
    const amounts = amountsOf(kind, levels).map((amount) => Number(amount.toPrecision(3)));
    return [
      text(x, y - 4, 12, `${distortions[kind].number} ${kind}`),
      text(x, y + 12, 10, amounts.join(" · "), "start", "#666"),
    ];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">${[...heads, ...names].join("")}</svg>`;
}
