import sharp from "sharp";
import { Numbers } from "./numbers.ts";

/** Pixels of a made picture. */
export const [width, height] = [320, 240];
/** Pixels around it that a camera which moves may see. */
const margin = 20;
const [wide, high] = [width + 2 * margin, height + 2 * margin];

export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly pixels: Buffer;
}

/** What a scene is drawn from: its kind of place (palette, horizon, light) and what stands in it. */
export interface Scene {
  readonly place: number;
  readonly things: number;
  draw(): Promise<Canvas>;
}

export const sceneOf = (seed: number): Scene => made(seed, seed ^ 0x5bd1e995);

/** Another scene at the same place: palette, horizon and light are the same, the things in it are others and elsewhere. */
export const lookAlike = ({ place }: Scene, seed: number): Scene => made(place, seed);

function made(place: number, things: number): Scene {
  return { place, things, draw: () => drawn(place, things) };
}

const colour = (hue: number, saturation: number, light: number) =>
  `hsl(${Math.round(hue)},${Math.round(saturation)}%,${Math.round(light)}%)`;

interface Place {
  readonly hues: readonly number[];
  readonly horizon: number;
  readonly svg: string;
}

function placeOf(seed: number): Place {
  const numbers = new Numbers(seed);
  const hues = Array.from({ length: 4 }, () => numbers.between(0, 360));
  const horizon = numbers.between(0.3, 0.7);
  const sky = [colour(hues[0]!, 45, numbers.between(55, 80)), colour(hues[0]!, 30, numbers.between(65, 85))];
  const ground = [colour(hues[1]!, 35, numbers.between(30, 50)), colour(hues[1]!, 40, numbers.between(20, 35))];
  const gradient = (id: string, [from, to]: string[]) =>
    `<linearGradient id="${id}" x2="0" y2="1"><stop stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient>`;
  const svg = `<defs>${gradient("s", sky)}${gradient("g", ground)}</defs>
    <rect width="${wide}" height="${high}" fill="url(#s)"/>
    <rect y="${horizon * high}" width="${wide}" height="${high}" fill="url(#g)"/>`;
  return { hues, horizon, svg };
}

const svgOf = (body: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}">${body}</svg>`;

/** A thing of some kind, with detail of its own. */
function thing(numbers: Numbers, { hues, horizon }: Place, id: string): string {
  const [x, y] = [numbers.between(0, wide), numbers.between(horizon * high * 0.5, high)];
  const size = numbers.between(14, 70) * (0.5 + y / high);
  const fill = colour(
    hues[numbers.below(4)]! + numbers.between(-25, 25),
    numbers.between(20, 70),
    numbers.between(15, 80),
  );
  const other = colour(hues[numbers.below(4)]!, numbers.between(20, 60), numbers.between(15, 85));
  const step = numbers.between(3, 9);
  const pattern = `<pattern id="${id}" width="${step}" height="${step}" patternUnits="userSpaceOnUse" patternTransform="rotate(${numbers.below(180)})">
    <rect width="${step}" height="${step}" fill="${fill}"/><rect width="${step / 2}" height="${numbers.chance(0.5) ? step : step / 2}" fill="${other}"/></pattern>`;
  const paint = numbers.chance(0.6) ? `url(#${id})` : fill;
  const turned = `transform="rotate(${numbers.between(-30, 30)} ${x} ${y})"`;
  const shapes = [
    () =>
      `<rect x="${x}" y="${y - size}" width="${size * numbers.between(0.3, 1.2)}" height="${size}" fill="${paint}"/>`,
    () =>
      `<ellipse cx="${x}" cy="${y}" rx="${size / 2}" ry="${size * numbers.between(0.2, 0.6)}" fill="${paint}" ${turned}/>`,
    () => `<polygon points="${x},${y - size} ${x + size / 2},${y} ${x - size / 2},${y}" fill="${paint}" ${turned}/>`,
    () =>
      `<path d="M${x} ${y} q${numbers.between(-40, 40)} ${-size} ${numbers.between(-60, 60)} ${-size * 1.3}" stroke="${fill}" stroke-width="${numbers.between(2, 7)}" fill="none"/>`,
  ];
  return pattern + shapes[numbers.below(shapes.length)]!();
}

async function drawn(placeSeed: number, thingsSeed: number): Promise<Canvas> {
  const place = placeOf(placeSeed);
  const numbers = new Numbers(thingsSeed);
  const things = Array.from({ length: 10 + numbers.below(18) }, (_, i) => thing(numbers, place, `p${i}`)).join("");
  const layers = await Promise.all([texture(numbers, 12, 60), texture(numbers, 45, 45), texture(numbers, 180, 40)]);
  const pixels = await sharp(Buffer.from(svgOf(place.svg + things)))
    .composite(layers.map((input) => ({ input, blend: "soft-light" as const })))
    .removeAlpha()
    .toColourspace("srgb")
    .raw()
    .toBuffer();
  return { width: wide, height: high, pixels };
}

/** Value noise of so many cells along the width, about middle grey. */
async function texture(numbers: Numbers, cells: number, amplitude: number): Promise<Buffer> {
  const [w, h] = [cells, Math.max(2, Math.round((cells * high) / wide))];
  const values = Buffer.from(
    Array.from({ length: w * h }, () => Math.max(0, Math.min(255, Math.round(128 + amplitude * numbers.normal())))),
  );
  return sharp(values, { raw: { width: w, height: h, channels: 1 } })
    .resize(wide, high, { fit: "fill", kernel: "cubic" })
    .toColourspace("srgb")
    .png({ compressionLevel: 0 })
    .toBuffer();
}

/** What moves in a scene, so far from where it began, as SVG over the whole canvas. */
export function subjectAt({ things, place }: Scene, dx: number, dy: number): string {
  const numbers = new Numbers(things ^ 0x27d4eb2f);
  const { hues } = placeOf(place);
  const [x, y] = [wide * numbers.between(0.35, 0.6) + dx, high * numbers.between(0.45, 0.65) + dy];
  const size = numbers.between(28, 48);
  const body = colour(hues[2]! + 40, 60, numbers.between(35, 60));
  const stripes = Array.from(
    { length: 6 },
    (_, i) =>
      `<rect x="${x - size / 2}" y="${y + (i * size) / 5}" width="${size}" height="${size / 12}" fill="${colour(hues[3]!, 50, 20 + 10 * i)}"/>`,
  );
  return svgOf(
    `<ellipse cx="${x}" cy="${y + size / 2}" rx="${size / 2}" ry="${size * 0.75}" fill="${body}"/>${stripes.join("")}
    <circle cx="${x}" cy="${y - size / 2}" r="${size / 3}" fill="${colour(hues[0]!, 40, 70)}"/>
    <circle cx="${x - size / 9}" cy="${y - size / 2}" r="2.2" fill="#111"/><circle cx="${x + size / 9}" cy="${y - size / 2}" r="2.2" fill="#111"/>`,
  );
}
