import { createHash } from "node:crypto";
import type { Device } from "../../engine/device/device.ts";
import { sizeOf, Tensor } from "../../engine/tensor.ts";
import { median } from "../metrics/index.ts";
import { answersOf, centrePass, Forward, fittingBatch } from "../networks/forward.ts";
import { QualityNetwork } from "../networks/model.ts";
import { type ModelOptions, modelOptions, partedOptions } from "../networks/options.ts";
import type { NetworkFigures } from "../report/experiment/experiment-record.ts";
import type { Surroundings } from "./plan.ts";

/** Pictures of a timed batch where they fit, and batches that are timed. */
const batch = 8;
const timed = 5;

/** Options that change neither a network's size nor its speed. */
const notOfSpeed = ["seed", "flip", "views", "trainCrops", "testCrops", "testTiles", "frozen", "tokenShare", "dropout"];

/** Names a network on an adapter. */
export function networkKey(options: ModelOptions, { adapter, version }: Surroundings): string {
  const { model } = partedOptions(options);
  const shape = Object.entries(model).filter(([name]) => !notOfSpeed.includes(name));
  return createHash("sha256").update(JSON.stringify({ shape, adapter, version })).digest("hex");
}

/**
 * Counts the parameters of a network and times it in evaluation on pictures that lie on the device: the median of some batches.
 * @param tune called between batches, so that kernels are timed in the way that training has them
 */
export async function networkFigures(
  device: Device,
  options: ModelOptions,
  tune?: (device: Device) => Promise<unknown>,
): Promise<NetworkFigures> {
  const model = new QualityNetwork(device, modelOptions(partedOptions(options).model));
  try {
    const parameters = model
      .tensors()
      .reduce((sum, { tensor, role }) => sum + (role === "parameter" ? sizeOf(tensor.shape) : 0), 0);
    const { crop } = options;
    using picture = device.owned("pictures", () => Tensor.zeros(device, [1, crop, crop, 3]).keep());
    const pass = centrePass(model, answersOf(model));
    const size = Math.min(
      batch,
      fittingBatch(device, () => picture, pass),
    );
    using forward = new Forward(device, size, pass);
    const pictures = Array.from({ length: size }, () => picture);
    const once = async () => {
      const start = performance.now();
      forward.run(pictures, () => {});
      await device.finish();
      return performance.now() - start;
    };
    // The first is recorded, the second makes a plan, the third replays it; tuning makes a new plan.
    for (let i = 0; i < 3; i++) await once();
    await tune?.(device);
    for (let i = 0; i < 3; i++) await once();
    const times: number[] = [];
    for (let i = 0; i < timed; i++) times.push(await once());
    return { parameters, picturesPerSecond: (1000 * size) / median(times) };
  } finally {
    model.dispose();
  }
}
