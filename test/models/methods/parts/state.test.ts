import { expect, test } from "bun:test";
import { add } from "../../../../engine/ops/arithmetic.ts";
import { scale } from "../../../../engine/ops/unary.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { asShares, dividedWherePositive } from "../../../../models/methods/parts/shares.ts";
import { DeviceState, filled, towards } from "../../../../models/methods/parts/state.ts";
import { plainDevice, sharedDevice } from "../../../engine/device.ts";

const read = async (state: DeviceState<"a" | "b">) =>
  Promise.all(state.tensors().map(async ({ tensor }) => [...(await tensor.read())]));

test("state moves within a step, and anew in its replays", async () => {
  for (const open of [sharedDevice, plainDevice]) {
    const device = await open();
    const state = new DeviceState(device, "own", { a: filled(1, [3]), b: filled(0.5, [2, 2]) });
    expect(state.tensors().map(({ name, role }) => [name, role])).toEqual([
      ["own.a", "statistic"],
      ["own.b", "statistic"],
    ]);
    const plan = device.trace(() => {
      const before = scale(state.get("a"), 1);
      state.move({ a: scale(state.get("a"), 2), b: add(state.get("b"), Tensor.constant(device, [1], [1])) });
      return { before, after: scale(state.get("a"), 1) };
    });
    for (const step of [1, 2, 3]) {
      if (step > 1) plan.replay();
      expect([...(await plan.result.before.read())]).toEqual(Array(3).fill(2 ** (step - 1)));
      expect([...(await plan.result.after.read())]).toEqual(Array(3).fill(2 ** step));
      expect(await read(state)).toEqual([Array(3).fill(2 ** step), Array(4).fill(0.5 + step)]);
    }
    plan.dispose();
    state.dispose();
  }
});

test("NaN among the new numbers leaves all of the state as it is; infinities and numbers below 0 do not", async () => {
  const device = await sharedDevice();
  const state = new DeviceState(device, "own", { a: filled(1, [3]), b: filled(0.5, [2, 2]) });
  const move = (a: number[], b?: number[]) =>
    device.scope(() => state.move({ a: Tensor.from(device, a, [3]), ...(b && { b: Tensor.from(device, b, [2, 2]) }) }));
  move([Number.NaN, 2, 3], [1, 2, 3, 4]);
  expect(await read(state)).toEqual([Array(3).fill(1), Array(4).fill(0.5)]);
  move([-5, 2, -3]);
  expect(await read(state)).toEqual([[-5, 2, -3], Array(4).fill(0.5)]);
  move([1, Number.POSITIVE_INFINITY, 3]);
  expect((await read(state))[0]).toEqual([1, Number.POSITIVE_INFINITY, 3]);
  state.dispose();
});

test("a mean that is as the batch stays so to the bit", async () => {
  const device = await sharedDevice();
  const values = Float32Array.from({ length: 64 }, (_, i) => 1 / (i + 3));
  const found = device.scope(() => {
    const s = Tensor.from(device, values, [64]);
    return { same: towards(s, s, 1 - 0.999).read(), half: towards(s, scale(s, 3), 0.5).read() };
  });
  expect(await found.same).toEqual(values);
  const half = await found.half;
  for (const [i, value] of values.entries()) expect(half[i]).toBeCloseTo(2 * value, 6);
});

test("shares of nothing are 0, and so is what is divided by 0", async () => {
  const device = await sharedDevice();
  const found = device.scope(() => {
    const of = (values: number[]) => Tensor.from(device, values, [3]);
    return {
      none: asShares(of([0, 0, 0])).read(),
      some: asShares(of([1, 0, 3])).read(),
      ratio: dividedWherePositive(of([1, 2, 3]), of([0, 4, 0.5])).read(),
    };
  });
  expect([...(await found.none)]).toEqual([0, 0, 0]);
  expect([...(await found.some)]).toEqual([0.25, 0, 0.75]);
  expect([...(await found.ratio)]).toEqual([0, 0.5, 6]);
});
