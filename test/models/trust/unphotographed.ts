import sharp from "sharp";
import { Random } from "../../../engine/random.ts";

/** Kinds of pictures that no camera took. */
export const kinds = {
  "flat colour": flat,
  gradient,
  "text page": textPage,
  chart,
  drawing,
  screenshot,
  pattern,
} satisfies Record<string, (draw: Draw) => Promise<Buffer>>;

export type Kind = keyof typeof kinds;

/** The i-th picture of a kind as a PNG or JPEG file; each is another, and the same in every run. */
export async function unphotographed(kind: Kind, i: number): Promise<Buffer> {
  return kinds[kind](new Draw(kind, i));
}

/** What a picture is made by: each draw follows from its kind and number. */
class Draw {
  readonly i: number;
  readonly #random: Random;

  constructor(kind: string, i: number) {
    this.i = i;
    this.#random = new Random(1 + i, kind);
  }

  /** A whole number from `low` to below `high`. */
  whole(low: number, high: number): number {
    return low + this.#random.integer(high - low);
  }

  one<T>(of: readonly T[]): T {
    return of[this.whole(0, of.length)]!;
  }

  colour(least = 0, most = 256): string {
    return `rgb(${[0, 1, 2].map(() => this.whole(least, most)).join()})`;
  }

  words(count: number): string {
    return Array.from({ length: count }, () => this.one(vocabulary)).join(" ");
  }

  /** Width and height as cameras and screens have them. */
  size(): { width: number; height: number } {
    const [width, height] = this.one([
      [500, 500],
      [640, 480],
      [800, 600],
      [1024, 768],
      [1280, 720],
      [600, 900],
    ] as const);
    return { width, height };
  }
}

const vocabulary =
  "the a light of shutter and lens in picture film grain sharp to noise from tripod is evening a4 12 camera which by exposure 3.5 colour shadows with harbour".split(
    " ",
  );

async function drawn(draw: Draw, { width, height }: { width: number; height: number }, body: string): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${body}</svg>`;
  const image = sharp(Buffer.from(svg)).flatten({ background: "white" });
  return draw.i % 3 === 2 ? image.jpeg({ quality: 85 }).toBuffer() : image.png().toBuffer();
}

const rect = (x: number, y: number, width: number, height: number, fill: string, more = "") =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${fill}" ${more}/>`;
const text = (x: number, y: number, size: number, fill: string, words: string, more = "") =>
  `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" font-family="DejaVu Sans" ${more}>${words}</text>`;

async function flat(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const grey = draw.i % 3 === 0 ? draw.one(["white", "black", "rgb(128,128,128)"]) : draw.colour();
  return drawn(draw, { width, height }, rect(0, 0, width, height, grey));
}

async function gradient(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const stops = Array.from({ length: draw.whole(2, 4) }, (_, i, { length }: { length?: number } = {}) => {
    return `<stop offset="${(100 * i) / Math.max(1, (length ?? 3) - 1)}%" stop-color="${draw.colour()}"/>`;
  }).join("");
  const shape = draw.one(["linearGradient", "radialGradient"]);
  const turn = shape === "linearGradient" ? `gradientTransform="rotate(${draw.whole(0, 90)})"` : "";
  const fill = `<defs><${shape} id="g" ${turn}>${stops}</${shape}></defs>`;
  return drawn(draw, { width, height }, fill + rect(0, 0, width, height, "url(#g)"));
}

async function textPage(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const isDark = draw.i % 4 === 3;
  const [paper, ink] = isDark ? [draw.colour(0, 50), draw.colour(190)] : [draw.colour(225), draw.colour(0, 90)];
  const size = draw.one([10, 13, 16, 22, 34]);
  const font = draw.one(["DejaVu Serif", "DejaVu Sans", "DejaVu Sans Mono"]);
  const lines: string[] = [];
  for (let y = 2 * size; y < height - size; y += 1.5 * size) {
    const isShort = draw.whole(0, 6) === 0;
    const words = draw.words(Math.ceil(((isShort ? 0.4 : 0.95) * width) / (size * 3.4)));
    lines.push(text(1.5 * size, y, size, ink, words, `style="font-family:${font}"`));
  }
  return drawn(draw, { width, height }, rect(0, 0, width, height, paper) + lines.join(""));
}

async function chart(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const [left, bottom, top] = [60, height - 50, 50];
  const count = draw.whole(4, 14);
  const step = (width - left - 20) / count;
  const values = Array.from({ length: count }, () => draw.whole(top, bottom));
  const colour = draw.colour(0, 200);
  const bars = values.map((y, i) => rect(left + i * step + 4, y, step * 0.7, bottom - y, colour)).join("");
  const points = values.map((y, i) => `${left + (i + 0.5) * step},${y}`);
  const line = `<polyline points="${points.join(" ")}" fill="none" stroke="${colour}" stroke-width="3"/>`;
  const angle = (i: number) => (2 * Math.PI * i) / count;
  const radius = Math.min(width, height) / 3;
  const at = (i: number) => `${width / 2 + radius * Math.cos(angle(i))} ${height / 2 + radius * Math.sin(angle(i))}`;
  const pie = values
    .map((_, i) => {
      return `<path d="M${width / 2} ${height / 2} L${at(i)} A${radius} ${radius} 0 0 1 ${at(i + 1)} Z" fill="${draw.colour()}"/>`;
    })
    .join("");
  const grid = Array.from({ length: 6 }, (_, i) => {
    const y = top + ((bottom - top) * i) / 5;
    return rect(left, y, width - left - 20, 1, "#ccc") + text(20, y + 4, 12, "#444", String(100 - 20 * i));
  }).join("");
  const title = text(width / 3, 30, 20, "#222", draw.words(4));
  const form = draw.i % 3;
  const body = form === 0 ? grid + bars : form === 1 ? grid + line : pie;
  return drawn(draw, { width, height }, rect(0, 0, width, height, "white") + body + title);
}

async function drawing(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const isLine = draw.i % 2 === 1;
  const shapes = Array.from({ length: draw.whole(12, 40) }, () => {
    const [x, y, r] = [draw.whole(0, width), draw.whole(0, height), draw.whole(15, 160)];
    const style = isLine
      ? `fill="none" stroke="black" stroke-width="${draw.whole(1, 5)}"`
      : `fill="${draw.colour()}" stroke="black" stroke-width="${draw.whole(0, 4)}"`;
    const corner = () => `${x + draw.whole(-r, r)} ${y + draw.whole(-r, r)}`;
    return draw.one([
      () => `<circle cx="${x}" cy="${y}" r="${r}" ${style}/>`,
      () => `<ellipse cx="${x}" cy="${y}" rx="${r}" ry="${r / 2}" ${style}/>`,
      () => `<path d="M${x} ${y} L${corner()} L${corner()} L${corner()} Z" ${style}/>`,
      () => `<path d="M${x} ${y} C${corner()} ${corner()} ${corner()} S${corner()} ${corner()}" ${style}/>`,
    ])();
  }).join("");
  return drawn(draw, { width, height }, rect(0, 0, width, height, isLine ? "white" : draw.colour(120)) + shapes);
}

async function screenshot(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const isDark = draw.i % 2 === 1;
  const [back, panel, ink] = isDark ? ["#1e1f24", "#2b2d36", "#d5d8e0"] : ["#ffffff", "#f0f2f5", "#202225"];
  const accent = draw.colour(30, 220);
  const side = Math.round(width * 0.22);
  const items = Array.from({ length: Math.floor((height - 70) / 34) }, (_, i) =>
    [
      rect(10, 64 + 34 * i, side - 20, 26, i === 2 ? accent : panel, 'rx="5"'),
      text(20, 82 + 34 * i, 13, ink, draw.words(2)),
    ].join(""),
  ).join("");
  const cards = Array.from({ length: 6 }, (_, i) => {
    const [w, h] = [(width - side - 60) / 2, (height - 110) / 3];
    const [x, y] = [side + 20 + (i % 2) * (w + 16), 70 + Math.floor(i / 2) * (h + 12)];
    const lines = Array.from({ length: Math.max(1, Math.floor(h / 26) - 2) }, (_, line) =>
      text(x + 14, y + 48 + 20 * line, 12, ink, draw.words(Math.floor(w / 48))),
    ).join("");
    const button =
      rect(x + w - 80, y + h - 34, 68, 24, accent, 'rx="4"') + text(x + w - 62, y + h - 18, 12, "white", "Open");
    return rect(x, y, w, h, panel, 'rx="8"') + text(x + 14, y + 26, 16, ink, draw.words(2)) + lines + button;
  }).join("");
  const bar = rect(0, 0, width, 44, accent) + text(16, 29, 18, "white", draw.words(2));
  return drawn(draw, { width, height }, rect(0, 0, width, height, back) + bar + items + cards);
}

/** Checks, stripes and noise: what has texture and shows nothing. */
async function pattern(draw: Draw): Promise<Buffer> {
  const { width, height } = draw.size();
  const [cell, a, b] = [draw.whole(2, 60), draw.whole(0, 120), draw.whole(136, 256)];
  const form = draw.i % 3;
  const pixels = new Uint8Array(width * height * 3);
  for (let at = 0; at < pixels.length; at++) {
    const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
    const isOdd = (Math.floor(x / cell) + (form === 0 ? Math.floor(y / cell) : 0)) % 2;
    pixels[at] = form === 2 ? draw.whole(0, 256) : isOdd ? a : b;
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
