import sharp, { type Sharp } from "sharp";
import { Random } from "../../../engine/random.ts";

const [width, height] = [480, 360];

/** Hours of the day: the sky from top to horizon, the sun or moon, and the nearest hills. */
const hours = {
  dawn: { sky: ["#3b4a7a", "#c98aa0", "#ffd9a8"], light: "#fff0c8", near: [34, 42, 58] },
  noon: { sky: ["#2f7fd0", "#79b8ea", "#dff1fb"], light: "#ffffff", near: [26, 74, 44] },
  dusk: { sky: ["#2a1e4a", "#b2405a", "#ff9a4a"], light: "#ffcf70", near: [30, 16, 34] },
  night: { sky: ["#060b1f", "#13284d", "#35557f"], light: "#e8ecf5", near: [6, 12, 22] },
  desert: { sky: ["#4a93c9", "#a9d3e6", "#f6e3c0"], light: "#fffbe6", near: [140, 72, 36] },
  winter: { sky: ["#6f8aa6", "#a9bccb", "#e9eef2"], light: "#fffdf5", near: [58, 78, 96] },
} as const;

/** A ridge as an outline from left to right: noise of several octaves. */
function ridge(random: Random, base: number, roughness: number): number[] {
  const waves = Array.from({ length: 6 }, (_, octave) => ({
    length: 190 / 1.9 ** octave,
    phase: random.uniform() * 6.28,
    size: roughness / 1.75 ** octave,
  }));
  return Array.from({ length: width / 2 + 1 }, (_, i) =>
    waves.reduce((y, { length, phase, size }) => y + size * Math.sin((2 * i) / (length / 6.28) + phase), base),
  );
}

/** A landscape that nobody has seen, drawn. */
async function scene(hour: keyof typeof hours, seed: number): Promise<Buffer> {
  const { sky, light, near } = hours[hour];
  const random = new Random(seed, "scenes");
  const stops = sky.map((colour, i) => `<stop offset="${i / 2}" stop-color="${colour}"/>`).join("");
  const [x, y] = [90 + random.integer(300), 60 + random.integer(70)];
  const stars = hour === "night" ? Array.from({ length: 90 }, () => dot(random)).join("") : "";
  const far = sky[2].match(/[0-9a-f]{2}/g)!.map((part) => Number.parseInt(part, 16));
  const layers = Array.from({ length: 5 }, (_, layer) => {
    const share = (layer + 1) / 5;
    const colour = near.map((value, i) => Math.round(value * share + far[i]! * (1 - share) * 0.9));
    const outline = ridge(random, 150 + 42 * layer, 34 - 3 * layer);
    const points = outline.map((top, i) => `${2 * i},${top.toFixed(1)}`).join(" ");
    const trees = layer < 3 || hour === "desert" ? "" : forest(random, outline, colour, layer);
    return `<polygon points="0,${height} ${points} ${width},${height}" fill="rgb(${colour})"/>${trees}`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <linearGradient id="sky" x2="0" y2="1">${stops}</linearGradient>
    <rect width="${width}" height="${height}" fill="url(#sky)"/>${stars}
    <circle cx="${x}" cy="${y}" r="46" fill="${light}" opacity="0.25"/><circle cx="${x}" cy="${y}" r="24" fill="${light}"/>
    ${layers.join("")}</svg>`;
  const grain = Uint8Array.from({ length: width * height }, () => 112 + random.integer(32));
  const grained = await sharp(grain, { raw: { width, height, channels: 1 } })
    .toColourspace("srgb")
    .png()
    .toBuffer();
  return sharp(Buffer.from(svg))
    .composite([{ input: grained, blend: "soft-light" }])
    .removeAlpha()
    .png()
    .toBuffer();
}

function dot(random: Random): string {
  const [x, y, r] = [random.integer(width), random.integer(190), 0.5 + random.uniform()];
  return `<circle cx="${x}" cy="${y}" r="${r.toFixed(2)}" fill="white" opacity="0.8"/>`;
}

function forest(random: Random, outline: readonly number[], colour: readonly number[], layer: number): string {
  return Array.from({ length: 70 }, () => {
    const i = random.integer(outline.length);
    const [x, foot, size] = [2 * i, outline[i]! + 3, (6 + random.integer(10)) * (layer - 1.6)];
    const shade = colour.map((value) => Math.round(value * (0.65 + 0.3 * random.uniform())));
    const tiers = [0, 1, 2].map((tier) => {
      const [top, half] = [foot - size * (1 - 0.22 * tier), size * (0.14 + 0.07 * tier)];
      return `M${x} ${top}l${half} ${size * 0.5}h${-2 * half}z`;
    });
    return `<path d="${tiers.join("")}" fill="rgb(${shade})"/>`;
  }).join("");
}

const damages: readonly [string, (image: Sharp) => Sharp, number][] = [
  ["clean", (image) => image, 92],
  ["blurred", (image) => image.blur(3), 90],
  ["compressed", (image) => image, 6],
  ["coarse", (image) => image.resize(120, 90), 90],
  ["dark", (image) => image.modulate({ brightness: 0.4 }), 90],
  ["soft", (image) => image.blur(1.2), 90],
];

/** Named JPEG files: landscapes drawn by code, whole and damaged. */
export async function drawnPictures(count: number): Promise<{ name: string; bytes: Uint8Array<ArrayBuffer> }[]> {
  const names = Object.keys(hours) as (keyof typeof hours)[];
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const hour = names[i % names.length]!;
      const [word, damage, quality] = damages[(i + Math.floor(i / names.length)) % damages.length]!;
      const image = damage(sharp(await scene(hour, Math.floor(i / 2))));
      const whole = sharp(await image.png().toBuffer()).resize(width, height, { kernel: "nearest" });
      return { name: `${hour}-${word}.jpg`, bytes: new Uint8Array(await whole.jpeg({ quality }).toBuffer()) };
    }),
  );
}
