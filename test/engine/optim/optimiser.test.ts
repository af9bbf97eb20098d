import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Optimiser, type OptimiserOptions } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
import lars from "../../golden/lars.json" with { type: "json" };
import { formula, relativeError } from "../check.ts";
import { sharedDevice } from "../device.ts";

const golden: { name: string; after: number[][] }[] = JSON.parse(
  readFileSync(new URL("../../golden/optim.json", import.meta.url), "utf8"),
);

const settings: Record<string, { rate: number; decay: number; options: OptimiserOptions }> = {
  sgd: { rate: 0.1, decay: 0.01, options: { kind: "sgd" } },
  nesterov: { rate: 0.1, decay: 0.01, options: { kind: "sgd", nesterov: true } },
  adam: { rate: 0.01, decay: 0.1, options: { kind: "adam" } },
  adamw: { rate: 0.01, decay: 0.1, options: { kind: "adamw" } },
};

test("LARS as in double precision: matrices by their norms, one that is 0 and vectors by their gradients", async () => {
  const device = await sharedDevice();
  const shapes = { matrix: [3, 4], zero: [2, 3], vector: [5] };
  const values = {
    matrix: formula({ shape: [3, 4], seed: 1 }),
    zero: new Float32Array(6),
    vector: formula({ shape: [5], seed: 2 }),
  };
  const parameters = Object.entries(shapes).map(([name, shape]) => ({
    name,
    tensor: Tensor.from(device, values[name as keyof typeof values], shape),
    kind: name === "vector" ? ("vector" as const) : ("matrix" as const),
    role: "parameter" as const,
  }));
  const optimiser = new Optimiser([{ parameters, rate: 2, decay: 0.1 }], { kind: "lars" });
  for (const [step, expected] of lars.entries()) {
    for (const [i, { tensor }] of parameters.entries())
      tensor.gradient = Tensor.from(
        device,
        formula({ shape: [...tensor.shape], seed: 10 * i + step + 2 }),
        tensor.shape,
      );
    optimiser.step();
    optimiser.clearGradients();
    for (const { name, tensor } of parameters)
      expect(relativeError(await tensor.read(), expected[name as keyof typeof expected])).toBeLessThan(1e-5);
  }
  expect(() => new Optimiser([], { kind: "lars", clipNorm: 1 })).toThrow("leave out clipNorm and lossScale");
  optimiser.dispose();
  for (const { tensor } of parameters) tensor.dispose();
});

describe("optimisers against PyTorch", () => {
  for (const { name, after } of golden) {
    test(name, async () => {
      const device = await sharedDevice();
      const { rate, decay, options } = settings[name]!;
      const tensor = Tensor.from(device, formula({ shape: [7], seed: 1 }), [7]);
      const parameters = [{ name: "p", tensor, kind: "vector", role: "parameter" } as const];
      const optimiser = new Optimiser([{ parameters, rate, decay }], options);
      for (const [step, expected] of after.entries()) {
        tensor.gradient = Tensor.from(device, formula({ shape: [7], seed: step + 2 }), [7]);
        optimiser.step();
        optimiser.clearGradients();
        expect(relativeError(await tensor.read(), expected)).toBeLessThan(1e-5);
      }
      optimiser.dispose();
      tensor.dispose();
    });
  }
});

test.each(["adam", "sgd"] as const)(
  "%s that is renewed does what a new one does, at the rates of its groups' factors",
  async (kind) => {
    const device = await sharedDevice();
    const start = formula({ shape: [7], seed: 1 });
    const tensor = Tensor.from(device, start, [7]);
    const parameters = [{ name: "p", tensor, kind: "vector", role: "parameter" } as const];
    let factor = 1;
    const make = () => new Optimiser([{ parameters, rate: 0.01, decay: 0, factor: () => factor }], { kind });
    const step = (optimiser: Optimiser, seed: number) => {
      tensor.gradient = Tensor.from(device, formula({ shape: [7], seed }), [7]);
      optimiser.step();
      optimiser.clearGradients();
      return tensor.read();
    };
    const once = make();
    const wanted = await step(once, 3);
    tensor.write(start);
    const optimiser = make();
    await step(optimiser, 2);
    tensor.write(start);
    optimiser.renew();
    expect(await step(optimiser, 3)).toEqual(wanted);
    factor = 0;
    expect(await step(optimiser, 4)).toEqual(wanted);
    for (const each of [once, optimiser]) each.dispose();
    tensor.dispose();
  },
);
