import { describe, expect, test } from "bun:test";
import { dropout2d } from "../../../engine/ops/dropout.ts";
import * as rearrange from "../../../engine/ops/rearrange.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const { broadcastTo, depthToSpace, flip, pad, repeat, slice, spaceToDepth, tile } = rearrange;

/** How a golden case is run with the engine; "-" is the end in front of the first place. */
function runner({ operation, options }: GoldenCase): Run {
  const ends = options.ends?.map((end: number | string) => (end === "-" ? Number.NEGATIVE_INFINITY : end));
  const runs: Record<string, (x: Tensor) => Tensor> = {
    slice: (x) => slice(x, options.starts, ends, options.steps),
    pad: (x) => pad(x, options.before, options.after, options.mode),
    flip: (x) => flip(x, options.axes),
    tile: (x) => tile(x, options.times),
    repeat: (x) => repeat(x, options.times, options.axis),
    broadcastTo: (x) => broadcastTo(x, options.shape),
    depthToSpace: (x) => depthToSpace(x, options.block, { order: options.order }),
    spaceToDepth: (x) => spaceToDepth(x, options.block, { order: options.order }),
  };
  return ([x]) => runs[operation]!(x!);
}

const cases = goldenCases("rearrange");
const title = ({ operation, inputs, options }: GoldenCase) =>
  `${operation} [${inputs[0]!.shape}] ${JSON.stringify(options)}`;

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await sharedDevice(), golden, runner(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases) {
    test(title(golden), async () => checkGolden(await plainDevice(), golden, runner(golden)));
  }
});

describe("against finite differences", () => {
  const seen = new Set<string>();
  for (const golden of cases) {
    const kind = `${golden.operation} ${golden.options.mode}`;
    if (seen.has(kind)) continue;
    seen.add(kind);
    test(title(golden), async () => checkDifferences(await sharedDevice(), golden.inputs, runner(golden)));
  }
});

test("words are rearranged as they are, margins mirror more than once, and all axes are flipped", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, Uint32Array.of(1, 0xffffffff, 0x7fc00001), [3]);
    return {
      flipped: flip(x).readIndices(),
      repeated: broadcastTo(x, [2, 3]).readIndices(),
      mirrored: pad(x, [5], [0], "reflect").readIndices(),
      alone: pad(Tensor.from(device, Uint32Array.of(7), [1]), [2], [1], "reflect").readIndices(),
    };
  });
  const [a, b, c] = [1, 0xffffffff, 0x7fc00001];
  expect([...(await reads.flipped)]).toEqual([c, b, a]);
  expect([...(await reads.repeated)]).toEqual([a, b, c, a, b, c]);
  expect([...(await reads.mirrored)]).toEqual([b, a, b, c, b, a, b, c]);
  expect([...(await reads.alone)]).toEqual([7, 7, 7, 7]);
});

test("dropout2d drops whole channels of samples, and the same ones in the gradient", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const x = Tensor.from(device, new Float32Array(8 * 3 * 2 * 5).fill(1), [8, 3, 2, 5]);
    x.requiresGradient = true;
    const y = dropout2d(x, 0.5, { seed: 3 });
    return { y: y.read(), dx: y.node!.gradient(y)[0]!.read() };
  });
  const [y, dx] = [await reads.y, await reads.dx];
  expect(dx).toEqual(y.map((value) => 2 * value));
  const kept = new Set<number>();
  for (let n = 0; n < 8; n++) {
    for (let c = 0; c < 5; c++) {
      const channel = Array.from({ length: 6 }, (_, i) => y[(n * 6 + i) * 5 + c]!);
      expect(new Set(channel).size).toBe(1);
      kept.add(channel[0]!);
    }
  }
  expect([...kept].sort()).toEqual([0, 2]);
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
  const wrong: [() => unknown, string][] = [
    [() => slice(zeros(5), [0], [5], [0]), "0 to 5 by 0 is no part of axis 0 of [5]"],
    [() => slice(zeros(5), [0], [6], [2]), "0 to 6 by 2"],
    [() => slice(zeros(5), [0], [3], [-1]), "0 to 3 by -1"],
    [() => slice(zeros(5), [0], [3], [1, 1]), "needs 1 starts, ends and steps"],
    [() => pad(zeros(5), [1], [1], "mirror" as rearrange.PadMode), 'the mode must be "reflect"'],
    [() => pad(zeros(5), [-1], [1], "edge"), "got -1"],
    [() => flip(zeros(2, 3), [2]), "[2,3] has no axis 2"],
    [() => tile(zeros(2), [0]), "got 0"],
    [() => repeat(zeros(2), 1.5, 0), "got 1.5"],
    [() => broadcastTo(zeros(2, 3), [2, 4]), "[2,3] and [2,4] cannot be broadcast"],
    [() => depthToSpace(zeros(1, 2, 2, 6), 2), "6 channels of [1,2,2,6] are no multiple of 2²"],
    [() => spaceToDepth(zeros(1, 3, 2, 6), 2), "3x2 pixels of [1,3,2,6]"],
    [() => spaceToDepth(zeros(3, 2, 6), 2), "found [3,2,6]"],
  ];
  for (const [work, text] of wrong) {
    expect(() =>
      device.scope(() => {
        work();
      }),
    ).toThrow(text);
  }
});
