import { expect, test } from "bun:test";
import { unpackRgb } from "../../../engine/ops/pictures/image.ts";
import { Tensor } from "../../../engine/tensor.ts";
import {
  type FullReferenceMeasure,
  fsim,
  fullReference,
  fullReferenceMeasures,
  gmsd,
  msSsim,
  psnr,
} from "../../../models/metrics/full-reference.ts";
import { ssim } from "../../../models/metrics/ssim.ts";
import { sharedDevice } from "../../engine/device.ts";
import { golden, pixels } from "../classic/pictures.ts";

type Case = { readonly [Measure in FullReferenceMeasure]?: number | null } & {
  readonly kind: string;
  readonly change: string;
  readonly height: number;
  readonly width: number;
};

const device = await sharedDevice();
const cases = golden<Case[]>("full_reference");

/** As distorted() of test/golden/full_reference.py. */
function changed(change: string, bytes: Uint8Array, height: number, width: number): Uint8Array {
  const noise = pixels("noise", height, width, 7);
  return bytes.map((value, i) => {
    if (change === "equal") return value;
    if (change === "inverted") return 255 - value;
    if (change === "darker") return value >> 1;
    if (change === "black") return 0;
    if (change === "noisy") return (7 * value + noise[i]!) >> 3;
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / (3 * width))];
    return bytes[(((y - 1 + height) % height) * width + ((x - 2 + width) % width)) * 3 + c]!;
  });
}

/** PSNR in dB; the others on scales of about 1. */
const worst = { psnr: 1e-5, ssim: 1e-6, msSsim: 1e-6, gmsd: 1e-6, fsim: 1e-5 } as const;

test.each(cases.map((each) => [`${each.kind} ${each.change} ${each.height} x ${each.width}`, each] as const))(
  "equal to float64: %s",
  async (_, { kind, change, height, width, ...expected }) => {
    const bytes = pixels(kind, height, width);
    using reference = unpackRgb(device, bytes, height, width);
    using copy = unpackRgb(device, changed(change, bytes, height, width), height, width);
    const found = await fullReference(reference, copy);
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const name of fullReferenceMeasures) {
      const wanted = expected[name];
      if (wanted === undefined) continue;
      if (wanted === null) expect(found[name]).toBe(Number.POSITIVE_INFINITY);
      else expect(Math.abs(found[name]! - wanted)).toBeLessThan(worst[name]);
    }
  },
);

test("each measure alone is the same bits as all together", async () => {
  const bytes = pixels("waves", 180, 190);
  using a = unpackRgb(device, bytes, 180, 190);
  using b = unpackRgb(device, changed("noisy", bytes, 180, 190), 180, 190);
  const all = await fullReference(a, b);
  using similarity = ssim(a, b);
  const alone = {
    psnr: await psnr(a, b),
    ssim: await similarity.item(),
    msSsim: await msSsim(a, b),
    gmsd: await gmsd(a, b),
    fsim: await fsim(a, b),
  };
  expect(alone).toEqual(all as typeof alone);
  expect(await fullReference(a, b, ["gmsd"])).toEqual({ gmsd: all.gmsd! });
});

test("what cannot be compared is refused", async () => {
  using a = Tensor.zeros(device, [1, 30, 200, 3]);
  using b = Tensor.zeros(device, [1, 30, 201, 3]);
  using row = Tensor.zeros(device, [1, 1, 9, 3]);
  await expect(fullReference(a, b)).rejects.toThrow("found [1,30,200,3] and [1,30,201,3]");
  await expect(psnr(a, b)).rejects.toThrow("psnr compares two pictures");
  await expect(msSsim(a, a)).rejects.toThrow("at least 176 pixels");
  expect(await fsim(a, a)).toBeNaN();
  await expect(fsim(row, row)).rejects.toThrow("at least 2 pixels");
  await expect(gmsd(row, row)).rejects.toThrow("at least 2 pixels");
  await expect(fullReference(a, a, ["vif" as "psnr"])).rejects.toThrow("measures[0]");
});
