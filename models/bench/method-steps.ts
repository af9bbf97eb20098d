import type { z } from "zod";
import { type Benchmark, noise, time } from "../../engine/bench.ts";
import { methods } from "../methods/index.ts";
import { QualityNetwork } from "../networks/model.ts";
import { planEpoch, rowsIn } from "../training/batches.ts";
import type { Method, Phase, PhaseContext } from "../training/method.ts";
import type { StrongOptions, TrainingOptions } from "../training/options.ts";
import { Stepper } from "../training/stepper.ts";
import { PictureInputs, strongInputs } from "../views/inputs.ts";

/** As small as USB's pictures for STL-10: what methods differ in is the number of views. */
const side = 96;
const pictures = 8;

/**
 * One training step of the last phase of every method that surveys nothing before and needs no network of its own, with the views that it
 * takes of 8 labelled and 8 unlabelled pictures.
 */
export function methodStepBenchmarks(): Benchmark[] {
  const plain = methods.filter(({ schema }) => (schema.shape["network"] as z.ZodType).parse(undefined) === "standard");
  return plain.flatMap((method) => {
    const input = { backbone: "vit_tiny_patch16_224", crop: side, resize: side, optimiser: "adamw" };
    const sizes = "batch" in method.schema.shape ? { batch: pictures } : {};
    const options = method.options({ ...input, ...sizes } as never);
    const last = method.phases(options).at(-1)!;
    return last.surveys ? [] : [stepBenchmark(method, last, options)];
  });
}

function stepBenchmark({ title }: Method, phase: Phase, options: TrainingOptions): Benchmark {
  const name = `${title}: training step, ViT-Tiny, ${pictures} + ${pictures} pictures at ${side}`;
  return {
    name,
    async measure(device, runs) {
      const rows = (part: string) =>
        Array.from({ length: 4 * pictures }, (_, i) => ({
          name: `${part} ${i}`,
          path: "",
          mos: i / (4 * pictures - 1),
        }));
      const data = { labelled: rows("labelled"), unlabelled: rows("unlabelled") };
      const model = new QualityNetwork(device, options);
      const { strong = "quality" } = options as Partial<StrongOptions>;
      const inputs = new PictureInputs(model, 1, 0, strongInputs(strong));
      const scores = data.labelled.map(({ mos }) => 1 + 99 * mos);
      const labels = Float32Array.from(model.head.labels(scores, options));
      const task = phase.begin({ model, inputs, labels, data } as unknown as PhaseContext);
      const stepper = new Stepper(model, inputs, { options, fresh: [] }, { ...phase, task });
      using picture = device.owned("pictures", () => noise(device, [1, side, side, 3]));
      try {
        const [batch] = planEpoch({ ...phase, stage: 1 }, 0, data, options);
        const step = batch!.map((planned) => ({ planned, tensor: picture }));
        // The first is recorded, the second traced; what is measured are replays.
        for (let i = 0; i < 2; i++) await stepper.step(step, 1);
        const result = await time(device, name, runs, undefined, () => stepper.step(step, 1));
        const views = rowsIn(phase.batch, phase.views);
        return { ...result, note: `${views} views, ${(result.medianMs / views).toFixed(1)} ms each` };
      } finally {
        stepper.dispose();
        task.dispose?.();
        inputs.dispose();
        model.dispose();
      }
    },
  };
}
