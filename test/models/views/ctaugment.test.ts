import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { slice } from "../../../engine/ops/join.ts";
import { Random } from "../../../engine/random.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { CtAugment } from "../../../models/views/ctaugment.ts";
import {
  binShares,
  type CtPolicy,
  ctOperations,
  drawnPolicy,
  learntRates,
  policyOperations,
  probePolicy,
  proximity,
  startRates,
} from "../../../models/views/ctaugment-policy.ts";
import { sharedDevice } from "../../engine/device.ts";

const settings = { decay: 0.99, threshold: 0.8, depth: 2 };
const seeds = Array.from({ length: 6000 }, (_, k) => k);
const policies = (rates = startRates()) =>
  seeds.flatMap((seed) => drawnPolicy(rates, new Random(seed, "test"), settings));

/** Within four standard errors. */
function expectShare(found: number, count: number, wanted: number): void {
  expect(Math.abs(found / count - wanted)).toBeLessThan(4 * Math.sqrt((wanted * (1 - wanted)) / count));
}

describe("policies", () => {
  test("19 operations, each as often, with 17 bins, 8 of posterize, 17 and 6 of rescale and none of identity", () => {
    const drawn = policies();
    expect(ctOperations.length).toBe(19);
    for (const name of ctOperations)
      expectShare(drawn.filter((each) => each.name === name).length, drawn.length, 1 / 19);
    const sizes = Object.entries(startRates()).map(([name, own]) => [name, own.map(({ length }) => length)] as const);
    for (const [name, found] of sizes) {
      const wanted = { posterize: [8], rescale: [17, 6], identity: [] }[name as "posterize"] ?? [17];
      expect(found).toEqual(wanted);
    }
  });

  test("levels are uniform at the start", () => {
    const levels = policies().flatMap((each) => each.levels);
    expect(levels.every((level) => level >= 0 && level < 1)).toBe(true);
    for (const edge of [0.1, 0.5, 0.9]) expectShare(levels.filter((level) => level < edge).length, levels.length, edge);
    const probes = seeds
      .flatMap((seed) => probePolicy(new Random(seed, "test"), settings))
      .flatMap((each) => each.levels);
    for (const edge of [0.1, 0.5, 0.9]) expectShare(probes.filter((level) => level < edge).length, probes.length, edge);
  });

  test("bins below the share of the best are not drawn, the others as they are worth", () => {
    // (0.5 + 0.01) / 1.01 = 0.50, (0.79 + 0.01) / 1.01 = 0.79, (0.8 + 0.01) / 1.01 = 0.80, each against 0.8
    const shares = binShares([1, 0.5, 0.79, 0.8], settings);
    expect(shares[0]).toBe(1);
    expect(shares.slice(1, 3)).toEqual([0, 0]);
    expect(shares[3]).toBeCloseTo(0.81 / 1.01, 12);
    const rates = { ...startRates(), posterize: [[0, 0.9, 0.1, 0, 1, 0, 0, 0.3]] };
    const levels = policies(rates).flatMap(({ name, levels }) => (name === "posterize" ? levels : []));
    const bins = levels.map((level) => Math.floor(level * 8));
    expect([...new Set(bins)].toSorted()).toEqual([1, 4]);
    expectShare(bins.filter((bin) => bin === 4).length, bins.length, 1.01 / (1.01 + 0.91));
  });

  test("what levels mean", () => {
    const place = { side: 40, random: new Random(1, "test") };
    const amounts = (name: CtPolicy[number]["name"], levels: number[]) =>
      policyOperations([{ name, levels }], place)[0];
    const most = 1 - 1e-9;
    expect(amounts("brightness", [0])).toEqual({ name: "brightness", amount: 0.1 });
    expect(amounts("sharpness", [0.5])).toEqual({ name: "sharpness", amount: 0.1 + 1.9 * 0.5 });
    expect(amounts("posterize", [0])).toEqual({ name: "posterize", amount: 1 });
    expect(amounts("posterize", [most])).toEqual({ name: "posterize", amount: 8 });
    expect(amounts("solarize", [most])).toEqual({ name: "solarize", amount: 255 });
    expect(amounts("rotate", [0])).toEqual({ name: "rotate", amount: -45 });
    expect(amounts("rotate", [most])).toEqual({ name: "rotate", amount: 45 });
    expect(amounts("shearX", [0])).toEqual({ name: "shearX", amount: -0.3 });
    expect(amounts("blur", [0.25])).toEqual({ name: "blur", amount: 0.25 });
    const part = { top: 5, left: 5, height: 30, width: 30 };
    expect(amounts("rescale", [0.5, 0])).toEqual({ name: "rescale", part, filter: "lanczos" });
    expect(amounts("rescale", [0.5, most])).toEqual({ name: "rescale", part, filter: "nearest" });
    for (let k = 0; k < 200; k++) {
      const cut = amounts("cutout", [most]);
      if (cut?.name !== "fill") throw new Error("a cutout fills");
      expect([cut.hole.height, cut.hole.width]).toEqual([20, 20]);
      expect(Math.min(cut.hole.top, cut.hole.left)).toBeGreaterThanOrEqual(-10);
      expect(Math.max(cut.hole.top, cut.hole.left)).toBeLessThan(30);
    }
  });
});

describe("learning", () => {
  test("proximity is 1 for the label itself and 0 for another", () => {
    expect(proximity([0, 1, 0], [0, 1, 0])).toBe(1);
    expect(proximity([1, 0, 0], [0, 1, 0])).toBe(0);
    expect(proximity([0.2, 0.5, 0.3], [0, 1, 0])).toBeCloseTo(0.5, 12);
  });

  test("only the bins that were hit move, by a hundredth of the way", () => {
    const policy: CtPolicy = [
      { name: "rescale", levels: [0.5, 0.99] },
      { name: "rescale", levels: [0.5, 0] },
    ];
    const rates = learntRates(startRates(), policy, 0.25, settings);
    const moved = 0.99 + 0.01 * 0.25;
    const wanted = startRates().rescale.map((own) => [...own]);
    wanted[0]![8] = 0.99 * moved + 0.01 * 0.25;
    wanted[1]![5] = moved;
    wanted[1]![0] = moved;
    expect(rates).toEqual({ ...startRates(), rescale: wanted });
  });

  test("levels that the network loses pictures by are no longer drawn", () => {
    const augment = new CtAugment();
    for (const seed of seeds) {
      const policy = probePolicy(new Random(seed, "probe"), settings);
      const lost = policy.some(({ name, levels }) => name === "brightness" && levels[0]! < 0.5);
      augment.learn([policy], [lost ? 0 : 1]);
    }
    const drawn = policies(augment.rates).flatMap(({ name, levels }) => (name === "brightness" ? levels : []));
    expect(drawn.length).toBeGreaterThan(400);
    expect(Math.min(...drawn)).toBeGreaterThan(8 / 17);
    // Rates are plain JSON.
    expect(new CtAugment({}, JSON.parse(JSON.stringify(augment.rates))).rates).toEqual(augment.rates);
  });
});

describe("views", () => {
  const level = (k: number) => (Math.imul(k + 1, 0x9e3779b1) >>> 21) & 255;
  const [count, side, crop] = [40, 33, 29] as const;
  const values = Float32Array.from({ length: count * side * side * 3 }, (_, k) => level(k) / 255);
  const own = Array.from({ length: count }, (_, k) => 70 + k);

  test("depend on picture, seed and rates alone, with the same bits on every adapter and runtime", async () => {
    const device = await sharedDevice();
    const augment = new CtAugment();
    const { views, probes, alone } = device.scope(() => {
      const x = Tensor.from(device, values, [count, side, side, 3]);
      const last = slice(x, [count - 1, 0, 0, 0], [count, side, side, 3]);
      const options = { crop, seeds: own };
      return {
        views: augment.views(x, options).read(),
        probes: augment.probes(x, options).views.read(),
        alone: augment.views(last, { crop, seeds: own.slice(-1) }).read(),
      };
    });
    expect([...(await alone)]).toEqual([...(await views).subarray((count - 1) * crop * crop * 3)]);
    const hash = createHash("sha256");
    for (const each of [await views, await probes]) hash.update(new Uint8Array(Float32Array.from(each).buffer));
    expect(hash.digest("hex").slice(0, 16)).toBe("67b71b98f7277e7a");
  });

  test("have a grey square, probes have none of it", async () => {
    const device = await sharedDevice();
    const augment = new CtAugment();
    const grey = (pixels: Float32Array) => {
      let found = 0;
      for (let k = 0; k < pixels.length; k += 3)
        if ([0, 1, 2].every((c) => Math.round(255 * pixels[k + c]!) === 127)) found++;
      return found / (pixels.length / 3);
    };
    const { views, probes, policies } = device.scope(() => {
      const x = Tensor.from(device, values, [count, side, side, 3]);
      const probed = augment.probes(x, { crop, seeds: own });
      return {
        views: augment.views(x, { crop, seeds: own }).read(),
        probes: probed.views.read(),
        policies: probed.policies,
      };
    });
    // A quarter of the view, less what lies over the border.
    expect(grey(await views)).toBeGreaterThan(0.1);
    expect(grey(await views)).toBeLessThan(0.25);
    const cut = policies.flat().filter(({ name }) => name === "cutout").length;
    expect(grey(await probes)).toBeLessThan((0.25 * cut) / count + 0.01);
  });
});

test("wrong arguments are refused with the value", async () => {
  const device = await sharedDevice();
  const wrong: [() => unknown, string][] = [
    [() => new CtAugment({ decay: 1 }), "got 1"],
    [() => new CtAugment({ threshold: 2 }), "got 2"],
    [() => new CtAugment({ depth: 0 }), "got 0"],
    [() => new CtAugment({ treshold: 0.5 } as object), 'did you mean "threshold"?'],
    [() => new CtAugment().learn([[]], [Number.NaN]), "got NaN"],
    [
      () => new CtAugment().views(Tensor.zeros(device, [2, 8, 8, 3]), { crop: 4, seeds: [1] }),
      "1 seeds for 2 pictures",
    ],
    [() => new CtAugment().probes(Tensor.zeros(device, [1, 8, 8, 3]), { crop: 9, seeds: [1] }), "a crop of 9"],
  ];
  for (const [work, text] of wrong) expect(() => device.scope(() => void work())).toThrow(text);
});
