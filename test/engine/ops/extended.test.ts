import { describe, expect, test } from "bun:test";
import type { Device } from "../../../engine/device/device.ts";
import * as activation from "../../../engine/ops/activation.ts";
import { ShapeError, Tensor } from "../../../engine/tensor.ts";
import { checkDifferences, checkGolden, type GoldenCase, goldenCases, type Run } from "../check.ts";
import { plainDevice, sharedDevice } from "../device.ts";

/** How a golden case is run with the engine. */
function runner({ operation, options }: GoldenCase): Run {
  switch (operation) {
    case "gelu":
      return ([x]) => activation.gelu(x!, options);
    case "pow":
      return ([x]) => activation.pow(x!, options.exponent);
    default: {
      const operationOf = activation as unknown as Record<string, (x: Tensor) => Tensor>;
      return ([x]) => operationOf[operation]!(x!);
    }
  }
}

const cases = goldenCases("extended");
const name = (golden: GoldenCase) =>
  `${golden.operation} ${golden.inputs.map((input) => `[${input.shape}]`).join(" ")} ${JSON.stringify(golden.options)}`;

describe("against PyTorch", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await sharedDevice(), golden, runner(golden)));
  }
});

describe("plain kernels, tensors in windows of 2 KiB", () => {
  for (const golden of cases) {
    test(name(golden), async () => checkGolden(await plainDevice(), golden, runner(golden)));
  }
});

describe("against finite differences", () => {
  const seen = new Set<string>();
  for (const golden of cases) {
    const kind = `${golden.operation} ${JSON.stringify(golden.options)}`;
    if (seen.has(kind) || golden.output.length < 4) continue;
    seen.add(kind);
    test(kind, async () => checkDifferences(await sharedDevice(), golden.inputs, runner(golden)));
  }
});

