import { describe, expect, test } from "bun:test";
import { backward } from "../../../../engine/autograd.ts";
import { slice } from "../../../../engine/ops/join.ts";
import { l2Normalise } from "../../../../engine/ops/normalise-l2.ts";
import { Tensor } from "../../../../engine/tensor.ts";
import { Bank, ringPlaces } from "../../../../models/methods/parts/bank.ts";
import { infoNce } from "../../../../models/methods/reiqa-quality/contrast.ts";
import { formula, relativeError } from "../../../engine/check.ts";
import { sharedDevice } from "../../../engine/device.ts";
import golden from "../../../golden/contrast.json" with { type: "json" };

const device = await sharedDevice();
const drawn = (shape: number[], seed: number) => Tensor.from(device, formula({ shape, seed }), shape);

function write(bank: Bank, rows: Tensor, places: ArrayLike<number>): void {
  const count = places.length;
  const answers = Tensor.from(device, new Float32Array(count).fill(1), [count, 1]);
  bank.write(rows, answers, Tensor.from(device, Uint32Array.from(places), [count]));
}

describe("InfoNCE and its gradient as by PyTorch in double precision", () => {
  test.each(golden.map((each) => [`${each.rows} of ${each.length}, ${each.present} in the queue`, each] as const))(
    "%s",
    async (_, { rows, length, queue, present, temperature, loss, toldApart, gradient }) => {
      const bank = new Bank(device, "queue", { rows: queue, length, levels: 1 }, "");
      const reads = device.scope(() => {
        if (present > 0) {
          const all = l2Normalise(drawn([queue, length], 3));
          write(
            bank,
            slice(all, [0, 0], [present, length]),
            Array.from({ length: present }, (_, i) => i),
          );
        }
        const raw = drawn([rows, length], 1);
        raw.requiresGradient = true;
        const found = infoNce(l2Normalise(raw), l2Normalise(drawn([rows, length], 2)), bank, temperature);
        backward(found.loss);
        return { loss: found.loss.read(), told: found.toldApart.read(), gradient: raw.gradient!.read() };
      });
      expect(Math.abs((await reads.loss)[0]! - loss)).toBeLessThan(2e-6 * Math.max(1, loss));
      expect((await reads.told)[0]).toBeCloseTo(toldApart, 6);
      const found = await reads.gradient;
      if (present > 0) expect(relativeError(found, gradient)).toBeLessThan(1e-5);
      else expect(Math.max(...found.map(Math.abs))).toBeLessThan(1e-6);
      bank.dispose();
    },
  );
});

test("the queue takes batches one after another, and the newest takes the place of the oldest", async () => {
  const bank = new Bank(device, "queue", { rows: 6, length: 2, levels: 1 }, "");
  const batchAt = (step: number) =>
    Tensor.from(device, Float32Array.of(Math.cos(step), Math.sin(step), Math.cos(step), -Math.sin(step)), [2, 2]);
  for (let step = 0; step < 5; step++) device.scope(() => write(bank, batchAt(step), ringPlaces(step, 3, 2, 2)));
  const rows = await device.scope(() => ({ read: bank.embeddings.read() })).read;
  const angles = [3, 4, 2].flatMap((step) => [Math.cos(step), Math.sin(step), Math.cos(step), -Math.sin(step)]);
  expect(relativeError(rows, angles)).toBeLessThan(1e-6);
  bank.dispose();
});
