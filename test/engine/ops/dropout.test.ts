import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { catalogueEntry, kernelNames } from "../../../engine/kernel/catalogue.ts";
import { kernelText, wholeText } from "../../../engine/kernel/text.ts";
import { cutout, cutoutWindows, dropout, randomWords, stochasticDepth } from "../../../engine/ops/dropout.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { Random, type Words2, type Words4 } from "../../../engine/random.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, formula, runWithGradients } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

/** `count` words of the host's generator from position 4 · offset of a stream on. */
function hostWords(seed: number, stream: string, offset: number, count: number): number[] {
  const random = Random.restore({ seed, stream, position: 4 * offset });
  return Array.from({ length: count }, () => random.word());
}

describe("Philox on the GPU", () => {
  // Published known answers of Random123 for philox4x32, 10 rounds.
  const vectors: [Words4, Words2, Words4][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, words] of vectors) {
    test(`published words of counter ${counter.map((word) => word.toString(16))}`, async () => {
      const device = await sharedDevice();
      const found = device.scope(() => {
        const y = Tensor.empty(device, [4], "u32");
        const [block_low, block_high, stream0, stream1] = counter;
        const parameters = { count4: 1, block_low, block_high, stream0, stream1, seed_low: key[0], seed_high: key[1] };
        device.kernels.run("random/words", { WORKGROUP: 64 }, { y: y.window() }, parameters, [1, 1, 1]);
        return { read: y.readIndices() };
      });
      expect([...(await found.read)]).toEqual([...words]);
    });
  }

  test("gives the words of Random, across the 32-bit carry and across windows", async () => {
    for (const device of [await sharedDevice(), await plainDevice()]) {
      for (const offset of [0, 5, 2 ** 32 - 3, 2 ** 45 + 7]) {
        const words = { seed: 2 ** 40 + 7, stream: "augment", offset };
        const found = device.scope(() => ({ read: randomWords(device, 1001, words).readIndices() }));
        expect([...(await found.read)]).toEqual(hostWords(words.seed, "augment", offset, 1001));
      }
    }
  });

  test("every kernel has the same function", () => {
    for (const name of kernelNames().filter((kernel) => /\bphilox\(/.test(wholeText(kernel)))) {
      expect(catalogueEntry(name).parts).toEqual(["random/philox"]);
      expect(kernelText(name)).not.toContain("fn philox");
    }
  });
});

describe("dropout", () => {
  for (const shape of [[1], [7], [3, 5], [2, 3, 4, 5], [1301]]) {
    test(`[${shape}]: the mask is that of the host's words, in forward and backward`, async () => {
      const rate = 0.3;
      const size = shape.reduce((a, b) => a * b, 1);
      const keep = hostWords(3, "dropout", 11, size).map((word) =>
        word >= Math.round(rate * 2 ** 32) ? 1 / (1 - rate) : 0,
      );
      for (const device of [await sharedDevice(), await plainDevice()]) {
        const input = { shape, seed: 1 };
        const { output, gradients } = await runWithGradients(device, [input], ([x]) =>
          dropout(x!, rate, { seed: 3, offset: 11 }),
        );
        const [x, w] = [formula(input), formula({ shape, seed: 99 })];
        keep.forEach((factor, i) => {
          expect(output[i]).toBeCloseTo(x[i]! * factor, 5);
          expect(gradients[0]![i]).toBeCloseTo(w[i]! * factor, 5);
        });
      }
    });
  }

  test("drops the given share; other seeds and offsets drop others; evaluation drops nothing", async () => {
    const device = await sharedDevice();
    const size = 40_000;
    const run = (rate: number, options: { seed: number; offset?: number; training?: boolean }) =>
      device.scope(() => {
        const ones = Tensor.from(device, new Float32Array(size).fill(1), [size]);
        return { read: dropout(ones, rate, options).read() };
      }).read;
    const half = await run(0.5, { seed: 1 });
    const dropped = half.filter((y) => y === 0).length / size;
    expect(Math.abs(dropped - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / size));
    for (const other of [{ seed: 2 }, { seed: 1, offset: size / 4 }]) {
      const found = await run(0.5, other);
      const same = found.filter((y, i) => y === half[i]).length / size;
      expect(Math.abs(same - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / size));
    }
    for (const y of [await run(0, { seed: 1 }), await run(0.5, { seed: 1, training: false })]) {
      expect(y.every((value) => value === 1)).toBe(true);
    }
  });

  test("with an offset that is a function, replays of a plan draw as recorded calls do, in the gradient too", async () => {
    const device = await sharedDevice();
    const size = 400;
    let step = 3;
    const x = Tensor.from(
      device,
      Float32Array.from({ length: size }, (_, i) => 1 + i),
      [size],
    );
    x.requiresGradient = true;
    const call = (offset: number | (() => number)) => {
      const y = dropout(x, 0.5, { seed: 1, offset });
      backward(sum(y));
      const gradient = x.gradient!;
      x.gradient = undefined;
      return { y, gradient };
    };
    const values = async (read: () => { y: Tensor; gradient: Tensor }) => {
      const reads = device.scope(() => {
        const { y, gradient } = read();
        return [y.read(), gradient.read()];
      });
      return (await Promise.all(reads)).map((all) => [...all]);
    };
    const plan = device.trace(() => call(() => 100 * step));
    for (step of [3, 4, 2 ** 31]) {
      plan.replay();
      expect(await values(() => plan.result)).toEqual(await values(() => call(100 * step)));
    }
    plan.dispose();
    x.dispose();
  });

  test("against finite differences", async () => {
    const device = await sharedDevice();
    await checkDifferences(device, [{ shape: [3, 7], seed: 1 }], ([x]) => dropout(x!, 0.4, { seed: 5 }));
    await checkDifferences(device, [{ shape: [9, 2, 3], seed: 1 }], ([x]) => stochasticDepth(x!, 0.4, { seed: 5 }));
  });
});

describe("stochasticDepth", () => {
  for (const shape of [[5], [9, 2, 3], [40, 4, 4]]) {
    test(`[${shape}]: whole samples go, in forward and backward`, async () => {
      const [samples, each] = [shape[0]!, shape.slice(1).reduce((a, b) => a * b, 1)];
      const keep = hostWords(8, "stochastic depth", 2, samples).map((word) => (word >= 2 ** 30 ? 4 / 3 : 0));
      for (const device of [await sharedDevice(), await plainDevice()]) {
        const input = { shape, seed: 1 };
        const { output, gradients } = await runWithGradients(device, [input], ([x]) =>
          stochasticDepth(x!, 0.25, { seed: 8, offset: 2 }),
        );
        const [x, w] = [formula(input), formula({ shape, seed: 99 })];
        for (let i = 0; i < samples * each; i++) {
          const factor = keep[Math.floor(i / each)]!;
          expect(output[i]).toBeCloseTo(x[i]! * factor, 5);
          expect(gradients[0]![i]).toBeCloseTo(w[i]! * factor, 5);
        }
      }
    });
  }
});

test("parts of a batch drop what the whole one does, in forward and backward", async () => {
  const words = { seed: 8, offset: 5 };
  const keep = hostWords(8, "stochastic depth", 5, 11).map((word) => (word >= 2 ** 31 ? 2 : 0));
  expect(new Set(keep).size).toBe(2);
  for (const device of [await sharedDevice(), await plainDevice()]) {
    for (const [first, count] of [
      [0, 3],
      [3, 5],
      [10, 1],
      [0, 11],
    ] as const) {
      const input = { shape: [count, 3], seed: 2 };
      const { output, gradients } = await runWithGradients(device, [input], ([x]) =>
        stochasticDepth(x!, 0.5, { ...words, part: { first, of: 11 } }),
      );
      const [x, w] = [formula(input), formula({ ...input, seed: 99 })];
      const factor = (i: number) => keep[first + Math.floor(i / 3)]!;
      expect([...output]).toEqual([...x].map((value, i) => value * factor(i)));
      expect([...gradients[0]!]).toEqual([...w].map((value, i) => value * factor(i)));
    }
  }
});

describe("cutout", () => {
  test("fills the windows, clipped at the borders, and stops the gradient there", async () => {
    const [images, height, width, channels] = [4, 6, 5, 3];
    const windows = [
      { top: 1, left: 2, height: 3, width: 2 },
      { top: -2, left: -1, height: 4, width: 3 },
      { top: 4, left: 4, height: 9, width: 9 },
      { top: 0, left: 0, height: 0, width: 5 },
    ];
    const inside = (i: number) => {
      const n = Math.floor(i / (height * width * channels));
      const row = Math.floor(i / (width * channels)) % height;
      const column = Math.floor(i / channels) % width;
      const { top, left, height: tall, width: wide } = windows[n]!;
      return row >= top && row < top + tall && column >= left && column < left + wide;
    };
    for (const device of [await sharedDevice(), await plainDevice()]) {
      const input = { shape: [images, height, width, channels], seed: 1 };
      const { output, gradients } = await runWithGradients(device, [input], ([x]) => cutout(x!, windows, 0.25));
      const [x, w] = [formula(input), formula({ ...input, seed: 99 })];
      expect([...output]).toEqual([...x].map((value, i) => (inside(i) ? 0.25 : value)));
      expect([...gradients[0]!]).toEqual([...w].map((value, i) => (inside(i) ? 0 : value)));
    }
  });

  test("random windows have their centre in the picture and repeat with the seed", () => {
    const draw = () => cutoutWindows(new Random(4, "cutout"), 200, 20, 30, 8);
    expect(draw()).toEqual(draw());
    for (const { top, left } of draw()) {
      expect(top + 4).toBeGreaterThanOrEqual(0);
      expect(top + 4).toBeLessThan(20);
      expect(left + 4).toBeGreaterThanOrEqual(0);
      expect(left + 4).toBeLessThan(30);
    }
  });
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const window = { top: 0, left: 0, height: 1, width: 1 };
  const wrong: [(d: Device) => unknown, typeof ShapeError | typeof RangeError, string][] = [
    [(d) => dropout(Tensor.zeros(d, [3]), 1, { seed: 1 }), RangeError, "got 1"],
    [(d) => dropout(Tensor.zeros(d, [3]), Number.NaN, { seed: 1 }), RangeError, "got NaN"],
    [(d) => dropout(Tensor.zeros(d, [3]), 0.5, { seed: -1 }), RangeError, "got -1"],
    [(d) => dropout(Tensor.zeros(d, [3]), 0.5, { seed: 1, offset: 0.5 }), RangeError, "got 0.5"],
    [(d) => dropout(Tensor.zeros(d, [3], "u32"), 0.5, { seed: 1 }), ShapeError, "found u32 [3]"],
    [(d) => stochasticDepth(Tensor.zeros(d, [3]), -0.1, { seed: 1 }), RangeError, "got -0.1"],
    [
      (d) => stochasticDepth(Tensor.zeros(d, [3]), 0.1, { seed: 1, part: { first: 2, of: 4 } }),
      ShapeError,
      "3 samples from 2 on are more than a batch of 4",
    ],
    [
      (d) => stochasticDepth(Tensor.zeros(d, [3]), 0.1, { seed: 1, part: { first: -1, of: 4 } }),
      RangeError,
      "the first sample",
    ],
    [(d) => cutout(Tensor.zeros(d, [2, 4, 4, 1]), [window]), ShapeError, "1 windows for 2 pictures"],
    [(d) => cutout(Tensor.zeros(d, [4, 4, 1]), [window]), ShapeError, "[4,4,1]"],
    [(d) => cutout(Tensor.zeros(d, [1, 4, 4, 1]), [{ ...window, top: 0.5 }]), ShapeError, "whole pixels"],
  ];
  for (const [work, kind, text] of wrong) {
    let error: unknown;
    try {
      device.scope(() => {
        work(device);
      });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(text);
  }
});
