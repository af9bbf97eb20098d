import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Optimiser, type OptimiserOptions } from "../../../engine/optim/optimiser.ts";
import { Tensor } from "../../../engine/tensor.ts";
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
