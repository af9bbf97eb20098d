import { readFileSync } from "node:fs";
import type { Device } from "../../../engine/device/device.ts";
import { unpackRgb } from "../../../engine/ops/pictures/image.ts";
import type { Tensor } from "../../../engine/tensor.ts";

const product = (a: number, b: number) => Math.imul(a, b) >>> 0;

/** As hashed() of test/golden/classic.py. */
function hashed(x: number, y: number, c: number, seed: number): number {
  let h = (product(x, 374761393) + product(y, 668265263) + product(c, 2246822519) + product(seed, 3266489917)) >>> 0;
  h = product((h ^ (h >>> 13)) >>> 0, 1274126177);
  return (h ^ (h >>> 16)) >>> 0;
}

function triangle(t: number, period: number): number {
  const rest = t % (2 * period);
  return rest < period ? rest : 2 * period - rest;
}

/** The pictures that test/golden/classic.py makes, [height, width, 3] bytes. */
export function pixels(kind: string, height: number, width: number, seed = 1): Uint8Array {
  const value = (x: number, y: number, c: number): number => {
    const noise = hashed(x, y, c, seed);
    if (kind === "noise") return noise % 256;
    if (kind === "constant") return 200;
    if (kind === "extremes") return 255 * (hashed(Math.floor(x / 5), Math.floor(y / 3), 0, seed) % 2);
    if (kind === "slope") return Math.floor((x + y) / 2) % 256;
    if (kind === "flat part" && x < 100) return 255;
    const slow = Math.floor((3 * triangle(3 * x + y + 20 * c, 31)) / 2);
    return (slow + 2 * triangle(Math.floor((x * y) / 64) + 5 * y, 43) + (noise % 24)) % 256;
  };
  return Uint8Array.from({ length: height * width * 3 }, (_, i) =>
    value(Math.floor(i / 3) % width, Math.floor(i / (3 * width)), i % 3),
  );
}

export function madePicture(device: Device, kind: string, height: number, width: number, seed = 1): Tensor {
  return unpackRgb(device, pixels(kind, height, width, seed), height, width);
}

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../golden/${name}.json`, import.meta.url), "utf8"));
}
