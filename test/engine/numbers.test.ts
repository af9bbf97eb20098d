import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backward, withoutGradients } from "../../engine/autograd.ts";
import type { Device } from "../../engine/device/device.ts";
import { openDevice } from "../../engine/device/open.ts";
import { BatchNorm, Convolution, Linear } from "../../engine/nn/layers.ts";
import { loadTensors, nameTensors, storable } from "../../engine/nn/named.ts";
import { type NumberFault, NumericError } from "../../engine/number-error.ts";
import { relu } from "../../engine/ops/activations.ts";
import { divide, multiply, subtract } from "../../engine/ops/arithmetic.ts";
import { cast } from "../../engine/ops/cast.ts";
import { linear } from "../../engine/ops/contraction/matmul.ts";
import { globalAveragePool } from "../../engine/ops/pool.ts";
import { mean, sum } from "../../engine/ops/reduce.ts";
import { exp, log, scale, sqrt } from "../../engine/ops/unary.ts";
import { Optimiser } from "../../engine/optim/optimiser.ts";
import { Random } from "../../engine/random.ts";
import { Tensor } from "../../engine/tensor.ts";
import { openSafetensors, writeSafetensors } from "../../engine/weights/safetensors.ts";
import { sharedDevice } from "./device.ts";

let device: Device;
/** Small bindings: tensors are examined in windows, and the table has few slots. */
let plain: Device;

beforeAll(async () => {
  device = await openDevice({ checkNumbers: true });
  plain = await openDevice({ checkNumbers: true, withoutFeatures: ["subgroups"], maximumBindingBytes: 2048 });
});

afterAll(() => {
  device.close();
  plain.close();
});

const hasHalf = (await sharedDevice()).features.has("shader-f16");

/** A small network with named parameters. */
class Net {
  readonly convolution: Convolution;
  readonly norm: BatchNorm;
  readonly head: Linear;

  constructor(on: Device) {
    const random = new Random(1, "net");
    this.convolution = new Convolution(on, random, { in: 4, out: 8 }, { kernel: 3, padding: 1 });
    this.norm = new BatchNorm(on, 8);
    this.head = new Linear(on, random, { in: 8, out: 3 });
    nameTensors(this.tensors());
  }

  /** `bend` comes between the norm and the head. */
  forward(x: Tensor, bend: (x: Tensor) => Tensor): Tensor {
    return this.head.forward(globalAveragePool(bend(this.norm.forward(this.convolution.forward(x), true))));
  }

  tensors() {
    return [
      ...this.convolution.tensors("layer1.conv"),
      ...this.norm.tensors("layer1.norm"),
      ...this.head.tensors("head"),
    ];
  }

  dispose() {
    for (const { tensor } of this.tensors()) tensor.dispose();
  }
}

const picture = (on: Device) =>
  Tensor.from(
    on,
    Float32Array.from({ length: 2 * 5 * 5 * 4 }, (_, i) => Math.sin(i)),
    [2, 5, 5, 4],
  );

async function errorOf(work: () => Tensor, on = device): Promise<NumericError> {
  const { reading } = on.scope(() => ({ reading: work().read() }));
  const error = await reading.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(NumericError);
  return error;
}

const faultOf = async (work: () => Tensor, on = device): Promise<NumberFault> => (await errorOf(work, on)).fault;

describe("the first number that is not finite", () => {
  test("forward: a logarithm of negative numbers inside a network, with and without a tape", async () => {
    const net = new Net(device);
    const error = await errorOf(() => sum(net.forward(picture(device), log)));
    expect(error.fault).toMatchObject({ operation: "log", pass: "forward", layer: "after layer1.norm" });
    expect(error.fault.shape).toEqual([2, 5, 5, 8]);
    expect(error.fault.nans).toBeGreaterThan(50);
    expect(error.fault.infinities).toBe(0);
    const [low, high] = error.fault.inputs[0]!.range!;
    expect(low).toBeWithin(-4, -0.5);
    expect(high).toBeWithin(0.5, 4);
    expect(error.message).toMatch(/^log after layer1\.norm gave \d+ NaN and 0 infinities in 400 numbers \[2,5,5,8\]$/);
    expect(error.advice).toMatch(/its inputs:\n {2}\[2,5,5,8\] finite from -[\d.]+ to [\d.]+$/);
    const untaped = await faultOf(() => withoutGradients(() => sum(net.forward(picture(device), log))));
    expect(untaped).toEqual(error.fault);
    net.dispose();
  });

  test("forward: a division by zero gives infinities, and NaN for 0 / 0", async () => {
    const divided = () => {
      const x = Tensor.from(device, [1, 0, -3, 4], [4]);
      return divide(x, scale(x, 0));
    };
    const fault = await faultOf(() => sum(divided()));
    expect(fault).toMatchObject({ operation: "divide", pass: "forward", layer: "", nans: 1, infinities: 3 });
    expect(fault.range).toBeUndefined();
    expect(fault.inputs.map(({ range }) => range)).toEqual([
      [-3, 4],
      [-0, 0],
    ]);
  });

  test.skipIf(!hasHalf)("forward: a number that is too large for f16", async () => {
    const fault = await faultOf(() => cast(Tensor.from(device, [1, 2e5, -3], [3]), "f16"));
    expect(fault).toMatchObject({ operation: "cast", infinities: 1, nans: 0, range: [-3, 1] });
    expect(fault.inputs[0]!.range).toEqual([-3, 2e5]);
  });

  test("backward: the slope of a root at 0, where the loss itself is finite", async () => {
    const net = new Net(device);
    const fault = await faultOf(() => {
      const loss = mean(net.forward(picture(device), (x) => sqrt(relu(x))));
      backward(loss);
      return loss;
    });
    expect(fault).toMatchObject({ operation: "sqrt", pass: "backward", layer: "after layer1.norm" });
    expect(fault.infinities).toBeGreaterThan(50);
    expect(fault.inputs).toHaveLength(2);
    expect(fault.inputs[0]!.range![0]).toBe(0);
    net.dispose();
  });

  test("backward: the sum of finite gradients overflows, and names the parameter", async () => {
    const weight = Tensor.from(device, [0], [1]).keep();
    weight.name = "block.gain";
    weight.requiresGradient = true;
    const fault = await faultOf(() => {
      const x = Tensor.from(device, [2e38], [1]);
      const loss = sum(scale(subtract(multiply(weight, x), multiply(scale(weight, -1), x)), 0.5));
      backward(scale(loss, 2));
      return loss;
    });
    expect(fault).toMatchObject({ pass: "backward", name: "block.gain", infinities: 1 });
    weight.dispose();
  });

  test("update: a parameter that the optimiser overflows", async () => {
    const net = new Net(device);
    const group = { parameters: net.tensors().filter(({ role }) => role === "parameter"), rate: 1e38, decay: 0 };
    const optimiser = new Optimiser([group], { kind: "sgd" });
    const error = await errorOf(() => {
      const loss = sum(scale(net.forward(picture(device), relu), 100));
      backward(loss);
      optimiser.step();
      optimiser.clearGradients();
      return loss;
    });
    expect(error.fault).toMatchObject({ operation: "sgd", pass: "update" });
    const names = group.parameters.map(({ name }) => name);
    expect(names).toContain(error.fault.name!);
    expect(error.message).toContain(`the sgd update of ${error.fault.name} left`);
    optimiser.dispose();
    net.dispose();
  });

  test("but not a gradient that overflows by the loss scale: that step is skipped, and the parameter stays", async () => {
    const weight = Tensor.from(device, [2], [1]).keep();
    weight.requiresGradient = true;
    const parameters = [{ name: "gain", tensor: weight, kind: "vector", role: "parameter" } as const];
    const optimiser = new Optimiser([{ parameters, rate: 0.1, decay: 0 }], {
      kind: "sgd",
      lossScale: { initial: 2 ** 100 },
    });
    const reads = device.scope(() => {
      const loss = sum(scale(weight, 1e30));
      backward(loss, optimiser.seed());
      optimiser.step();
      optimiser.clearGradients();
      return { weight: weight.item(), state: optimiser.gradientState!.read() };
    });
    expect(await reads.weight).toBe(2);
    expect(await reads.state).toMatchObject({ skipped: true, scale: 2 ** 99 });
    optimiser.dispose();
    weight.dispose();
  });

  test("input: infinite weights and statistics, which a file cannot bring, and data from the host", async () => {
    const folder = await mkdtemp(join(tmpdir(), "acutance-numbers-"));
    const net = new Net(device);
    try {
      for (const [name, kind] of [
        ["head.weight", "infinities"],
        ["layer1.norm.running_var", "nans"],
      ] as const) {
        const tensors = await storable(net.tensors());
        const data = new Float32Array((tensors.find((tensor) => tensor.name === name)!.data as Float32Array).buffer);
        data[2] = kind === "nans" ? Number.NaN : Number.NEGATIVE_INFINITY;
        const path = join(folder, "weights.safetensors");
        await writeSafetensors(path, tensors);
        await using file = await openSafetensors(path);
        expect(loadTensors(file, net.tensors())).rejects.toThrow(
          new RegExp(`weights\\.safetensors: tensor "${name}" has 1 of \\d+ values that are not finite`),
        );
        const { tensor } = net.tensors().find((named) => named.name === name)!;
        const before = await tensor.read();
        tensor.write(before.with(2, data[2]) as Float32Array<ArrayBuffer>);
        nameTensors(net.tensors());
        const fault = await faultOf(() => sum(picture(device)));
        expect(fault).toMatchObject({ operation: "the network", pass: "input", name, [kind]: 1 });
        tensor.write(before as Float32Array<ArrayBuffer>);
      }
      const fault = await faultOf(() => {
        const x = Tensor.from(device, [1, Number.NaN, 2], [1, 3]);
        return linear(x, Tensor.from(device, new Float32Array(3), [3, 1]));
      });
      expect(fault).toMatchObject({ operation: "linear", pass: "input", shape: [1, 3], nans: 1, range: [1, 2] });
    } finally {
      net.dispose();
      await rm(folder, { recursive: true });
    }
  });
});

describe("counts", () => {
  test.each([1, 2, 3, 5, 511, 512, 513, 4099, 40_001])("of %i numbers are those of the host", async (size) => {
    const random = new Random(2, size);
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-42, -3e38, 3e38, -0];
    const data = Float32Array.from({ length: size }, () => {
      const pick = random.integer(40);
      return special[pick] ?? random.normal();
    });
    data[size - 1] = Number.NaN;
    const finite = data.filter(Number.isFinite).sort();
    for (const on of [device, plain]) {
      const fault = await faultOf(() => relu(Tensor.from(on, data, [size])), on);
      expect(fault.nans).toBe(data.filter(Number.isNaN).length);
      expect(fault.infinities).toBe(data.filter((x) => Math.abs(x) === Number.POSITIVE_INFINITY).length);
      expect(fault.range).toEqual(finite.length > 0 ? [finite[0]!, finite.at(-1)!] : undefined);
    }
  });

  test("what fills a buffer behind the last element is not looked at", async () => {
    const reading = device.scope(() => {
      Tensor.from(device, new Float32Array(8).fill(Number.NaN), [8]).dispose();
      return { of: relu(Tensor.from(device, [1, 2, 3, 4, 5], [5])).read() };
    });
    expect([...(await reading.of)]).toEqual([1, 2, 3, 4, 5]);
  });
});

describe("the check itself", () => {
  test.each([
    ["large", () => device, 9000],
    ["small", () => plain, 400],
  ] as const)("finds the first of more operations than its %s table holds, and recovers", async (_, on, count) => {
    const fault = await faultOf(() => {
      let x = Tensor.from(on(), [1], [1]);
      for (let i = 0; i < count; i++) {
        const before = x;
        // The first overflow, then one of each later operation.
        x = i === 50 ? exp(scale(x, 1000)) : scale(x, 1);
        before.dispose();
      }
      return x;
    }, on());
    expect(fault).toMatchObject({ operation: "exp", infinities: 1 });
    const { reading } = on().scope(() => ({ reading: relu(Tensor.from(on(), [3], [1])).item() }));
    expect(await reading).toBe(3);
  });

  test("holds no more memory after a thousand operations than after one", async () => {
    const step = async () => {
      const { reading } = device.scope(() => ({ reading: sum(relu(picture(device))).item() }));
      await reading;
    };
    await step();
    const before = device.memoryUse;
    for (let i = 0; i < 500; i++) await step();
    expect(device.memoryUse).toEqual(before);
  });

  test("counts nothing in a rehearsal, which computes nothing", async () => {
    device.rehearse(() => log(Tensor.from(device, [-1], [1])));
    await device.finish();
  });

  test("finish() throws too", async () => {
    device.scope(() => log(Tensor.from(device, [-1], [1])));
    await expect(device.finish()).rejects.toThrow(NumericError);
    await device.finish();
  });

  test("is absent unless asked for, by option or environment", async () => {
    expect((await sharedDevice()).numbers).toBeUndefined();
    const before = process.env["ACUTANCE_CHECK_NUMBERS"];
    process.env["ACUTANCE_CHECK_NUMBERS"] = "1";
    try {
      using asked = await openDevice();
      expect(asked.numbers).toBeDefined();
      using refused = await openDevice({ checkNumbers: false });
      expect(refused.numbers).toBeUndefined();
    } finally {
      if (before === undefined) delete process.env["ACUTANCE_CHECK_NUMBERS"];
      else process.env["ACUTANCE_CHECK_NUMBERS"] = before;
    }
  });
});
