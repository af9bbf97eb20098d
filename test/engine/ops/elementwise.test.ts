import { describe, expect, test } from "bun:test";
import { backward } from "../../../engine/autograd.ts";
import * as activations from "../../../engine/ops/activations.ts";
import * as arithmetic from "../../../engine/ops/arithmetic.ts";
import { multiply } from "../../../engine/ops/arithmetic.ts";
import type { Operand } from "../../../engine/ops/broadcast.ts";
import * as compare from "../../../engine/ops/compare.ts";
import { equal, greater, where } from "../../../engine/ops/compare.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import * as unary from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const binary = { ...arithmetic, ...compare } as unknown as Record<string, (a: Operand, b: Operand) => Tensor>;
const ofOne = { ...unary, ...activations, ...compare } as unknown as Record<
  string,
  (x: Tensor, option?: unknown) => Tensor
>;

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  switch (operation) {
    case "combine":
      return ([a, b]) => binary[options.op]!(a!, b!);
    case "withNumber":
      return ([x]) =>
        options.side === "a" ? binary[options.op]!(options.number, x!) : binary[options.op]!(x!, options.number);
    case "where":
      return ([c, a, b]) => where(greater(c!, 0), a!, b!);
    case "whereNumber":
      return ([c, a]) => where(greater(c!, 0), a!, -7);
    default:
      return ([x]) => ofOne[operation]!(x!, options.value);
  }
}

const cases = goldenCases("elementwise");
/** Cases under the name of the function that they are about. */
const named = cases.map((golden) => ({
  ...golden,
  operation: golden.options.op ?? golden.operation.replace("Number", ""),
}));
const title = (golden: GoldenCase, i: number) =>
  `${golden.operation} ${named[i]!.inputs.map((input) => `[${input.shape}]`).join(" ")} ${JSON.stringify(golden.options)} ${i}`;

/** What jumps: its f16 form meets other whole numbers than f32 where an operand lies beside one. */
const jumping = new Set(["fmod", "remainder", "pow", "tan"]);

describe("against PyTorch", () => {
  for (const [i, golden] of cases.entries()) {
    test(title(golden, i), async () =>
      checkGolden(
        await sharedDevice(),
        named[i]!,
        runner(golden),
        jumping.has(named[i]!.operation) ? { f16: 1e-2 } : {},
      ),
    );
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const [i, golden] of cases.entries()) {
    test(title(golden, i), async () =>
      checkGolden(
        await plainDevice(),
        named[i]!,
        runner(golden),
        jumping.has(named[i]!.operation) ? { f16: 1e-2 } : {},
      ),
    );
  }
});

describe("against finite differences", () => {
  const seen = new Set<string>();
  for (const [i, golden] of cases.entries()) {
    const kind = `${golden.operation} ${named[i]!.operation} ${golden.options.side}`;
    const steps = ["fmod", "remainder"].includes(named[i]!.operation);
    const steep = golden.inputs.some(({ scale = 1 }) => scale > 100);
    if (seen.has(kind) || golden.output.length < 4 || steps || steep || golden.gradients.every((dx) => !dx)) continue;
    seen.add(kind);
    test(title(golden, i), async () => checkDifferences(await sharedDevice(), golden.inputs, runner(golden)));
  }
});

async function read(work: (device: Awaited<ReturnType<typeof sharedDevice>>) => Tensor) {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const y = work(device);
    return { type: y.dtype, numbers: y.isFloat ? y.read() : y.readIndices() };
  });
  return { type: reads.type, numbers: [...(await reads.numbers)] };
}

describe("indices", () => {
  const words = Uint32Array.of(0, 1, 0xffffffff, 0x7fc00001, 0x80000000);

  test("are compared as whole numbers and give f32", async () => {
    const compared = await read((device) => equal(Tensor.from(device, words, [5]), 0xffffffff));
    expect(compared).toEqual({ type: "f32", numbers: [0, 0, 1, 0, 0] });
    const above = await read((device) =>
      greater(Tensor.from(device, words, [5]), Tensor.from(device, Uint32Array.of(0x7fc00000), [1])),
    );
    expect(above.numbers).toEqual([0, 0, 1, 1, 1]);
    const not = await read((device) => compare.logicalNot(Tensor.from(device, words, [5])));
    expect(not.numbers).toEqual([1, 0, 0, 0, 0]);
  });

  test("are chosen as they are, by a condition of any type", async () => {
    for (const condition of [Uint32Array.of(1, 0, 7, 1, 0x80000000), [1, 0, Number.NaN, -1, 1e-30]]) {
      const chosen = await read((device) =>
        where(Tensor.from(device, condition, [5]), Tensor.from(device, words, [5]), 9),
      );
      expect(chosen).toEqual({ type: "u32", numbers: [0, 9, 0xffffffff, 0x7fc00001, 0x80000000] });
    }
  });
});

test("equal ones share the gradient of a maximum, and NaN takes all of it, as in PyTorch", async () => {
  const device = await sharedDevice();
  const reads = device.scope(() => {
    const [a, b] = [
      [1, 2, 3, Number.NaN, 5],
      [2, 2, 1, 4, Number.NaN],
    ].map((numbers) => Tensor.from(device, numbers, [5])) as [Tensor, Tensor];
    a.requiresGradient = true;
    b.requiresGradient = true;
    const y = arithmetic.maximum(a, b);
    backward(sum(y));
    return { y: y.read(), da: a.gradient!.read(), db: b.gradient!.read() };
  });
  expect([...(await reads.y)]).toEqual([2, 2, 3, Number.NaN, Number.NaN]);
  expect([...(await reads.da)]).toEqual([0, 0.5, 1, 1, 1]);
  expect([...(await reads.db)]).toEqual([1, 0.5, 0, 1, 1]);
});

test("words have a maximum and a minimum as whole numbers", async () => {
  const words = Uint32Array.of(0, 7, 0xffffffff);
  const larger = await read((device) => arithmetic.maximum(Tensor.from(device, words, [3]), 9));
  const smaller = await read((device) => arithmetic.minimum(9, Tensor.from(device, words, [3])));
  expect([larger, smaller]).toEqual([
    { type: "u32", numbers: [9, 9, 0xffffffff] },
    { type: "u32", numbers: [0, 7, 9] },
  ]);
});

test("powers, remainders and comparisons of special numbers are those of IEEE 754", async () => {
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  const special = [0, -0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, inf, -inf, nan, Math.fround(1e30), 2 ** 24 + 2, -7.5];
  const pairs = special.flatMap((a) => special.map((b) => [a, b] as const));
  const [left, right] = [pairs.map(([a]) => a), pairs.map(([, b]) => b)];
  const made = async (f: (a: Tensor, b: Tensor) => Tensor) =>
    (await read((device) => f(Tensor.from(device, left, [pairs.length]), Tensor.from(device, right, [pairs.length]))))
      .numbers;
  const [powers, rests] = [await made(arithmetic.pow), await made(arithmetic.fmod)];
  pairs.forEach(([a, b], i) => {
    // JavaScript's own differ from IEEE 754 in 1^NaN and 1^±∞.
    const power = Math.abs(a) === 1 && Math.abs(b) === inf ? 1 : a === 1 ? 1 : Math.fround(a ** b);
    const near = Number.isFinite(power)
      ? Math.abs(powers[i]! - power) <= 2e-5 * Math.abs(power)
      : Object.is(powers[i], power);
    expect([a, b, near ? power : powers[i]]).toEqual([a, b, power]);
    expect([a, b, (rests[i]! as number) + 0]).toEqual([a, b, (a % b) + 0]);
  });
});

test("a number that was not chosen leaves no NaN in gradients", async () => {
  const device = await sharedDevice();
  const gradient = await device.scope(() => {
    const x = Tensor.from(device, [4, 0, -1], [3]);
    x.requiresGradient = true;
    backward(sum(where(greater(x, 0), multiply(x, x), 0)));
    return { read: x.gradient!.read() };
  }).read;
  expect([...gradient].map((slope) => slope + 0)).toEqual([8, 0, 0]);
});

test("areas of large numbers are exact", async () => {
  const numbers = Float32Array.from({ length: 120 }, (_, i) => 2.1 ** i).filter(Number.isFinite);
  for (const name of ["asinh", "acosh"] as const) {
    const found = (await read((device) => ofOne[name]!(Tensor.from(device, numbers, [numbers.length])))).numbers;
    numbers.forEach((x, i) => {
      expect(Math.abs(found[i]! - Math[name](x))).toBeLessThanOrEqual(5e-7 * Math[name](x));
    });
  }
});

test("sines of large angles are exact", async () => {
  const angles = Float32Array.from({ length: 4000 }, (_, i) => 1.0371 ** i * (i % 2 === 0 ? 1 : -1)).filter(
    Number.isFinite,
  );
  const [sines, cosines] = [unary.sin, unary.cos].map((f) =>
    read((device) => f(Tensor.from(device, angles, [angles.length]))),
  );
  const found = [(await sines!).numbers, (await cosines!).numbers];
  angles.forEach((angle, i) => {
    expect(Math.abs(found[0]![i]! - Math.sin(angle))).toBeLessThan(3e-7);
    expect(Math.abs(found[1]![i]! - Math.cos(angle))).toBeLessThan(3e-7);
  });
});

test("wrong operands are refused with the value", async () => {
  const device = await sharedDevice();
  const zeros = (...shape: number[]) => Tensor.zeros(device, shape);
  const indices = (...shape: number[]) => Tensor.zeros(device, shape, "u32");
  // biome-ignore lint/suspicious/noExplicitAny: calls that TypeScript would refuse
  const js = binary as any;
  const wrong: [() => unknown, string][] = [
    [() => js.add(1, 2), "a or b must be a tensor, found 1 and 2"],
    [() => js.add(zeros(2), "2"), 'b must be a tensor or a number, found "2"'],
    [() => js.add(zeros(2), Number.NaN), "b must be a number, got NaN"],
    [() => js.divide(indices(2), 1), "divide takes floating-point elements (f32 or f16), found u32 [2] as a"],
    [() => equal(indices(2), 1.5), "b must be a whole number from 0 to 4294967295, got 1.5"],
    [() => equal(indices(2), zeros(2)), "equal takes u32 elements, found f32 [2] as b"],
    [() => equal(zeros(2), indices(2)), "found u32 [2] as b"],
    [() => where(zeros(2), zeros(3), 0), "[3] and [2] cannot be broadcast"],
    [() => where(zeros(2), zeros(2), indices(2)), "found u32 [2] as b"],
    [() => activations.softplus(zeros(2), 0), "beta must be a finite number above 0, got 0"],
    [() => activations.hardSigmoid(zeros(2), { alfa: 1 } as object), 'did you mean "alpha"'],
    [() => compare.isNan(indices(2)), "found u32 [2] as x"],
  ];
  for (const [work, text] of wrong) {
    expect(() =>
      device.scope(() => {
        work();
      }),
    ).toThrow(text);
  }
});
