import { withoutGradients } from "../../../engine/autograd.ts";
import { atLeast, multiply } from "../../../engine/ops/arithmetic.ts";
import { concat } from "../../../engine/ops/join.ts";
import { softCrossEntropy } from "../../../engine/ops/losses.ts";
import { mean, sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { topK } from "../../../engine/ops/top-k.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Tensor } from "../../../engine/tensor.ts";
import type { PartRows, PhaseContext, PhaseRun } from "../../training/method.ts";
import { cropOf, versionViews } from "../../views/version-inputs.ts";
import { Bank, ringPlaces } from "../parts/bank.ts";
import { Embedder, type EmbedderOptions } from "../parts/embedder.ts";

export interface ContrastOptions extends EmbedderOptions {
  readonly batch: number;
  readonly degraded: number;
  readonly queue: number;
  readonly contrastTemperature: number;
}

/** The steps of MoCo v2: a network with its teacher, and the queue of what that made of earlier crops. */
export function contrast(options: ContrastOptions, context: PhaseContext): PhaseRun {
  const { batch, queue, contrastTemperature: temperature, projection } = options;
  const embedder = new Embedder(context, options);
  const size = batch * versionViews(options);
  const batches = Math.max(1, Math.floor(queue / size));
  const extents = { rows: batches * size, length: projection, levels: 1 };
  const bank = new Bank(context.model.device, "queue", extents, "give a smaller `queue`");
  return {
    figures: ["told apart"],
    targets: ({ length }, { step }) => ({
      places: { data: ringPlaces(step, batches, size, length), shape: [length] },
    }),
    loss(outputs, { places }, _, input) {
      const [rows] = input.shape as [number];
      const all: PartRows = { row: 0, first: 0, count: rows, size: rows, views: 1 };
      const [asked] = embedder.learnt(outputs, [[all, 0]]);
      const [key] = embedder.taught(outputs, cropOf(input, 1), [[all, 0]]);
      const found = infoNce(asked!.embedding, key!.embedding, bank, temperature);
      // The queue takes the keys of a step when the step was compared with those before.
      bank.write(key!.embedding, Tensor.constant(input.device, new Float32Array(rows).fill(1), [rows, 1]), places!);
      return { loss: found.loss, figures: { "told apart": found.toldApart } };
    },
    modules: () => embedder.modules.flatMap((one) => one.tensors()),
    tensors: () => [...embedder.state, bank].flatMap((one) => one.tensors()),
    ...embedder.hooks,
    readsInput: true,
    dispose() {
      for (const one of [...embedder.modules, ...embedder.state, bank]) one.dispose();
    },
  };
}

/**
 * InfoNCE (van den Oord et al. 2018) as in MoCo: L = mean_i −ln( exp(q_i·k_i / T) / (exp(q_i·k_i / T) + Σ_j exp(q_i·b_j / T)) ) over the b_j in the bank.
 * q, k: [N, d], rows of length 1.
 * @returns the loss, and the share of q that are at least as near to their k as to any b
 */
export function infoNce(q: Tensor, k: Tensor, bank: Pick<Bank, "similarities">, temperature: number) {
  const [rows] = q.shape as [number];
  const positive = scale(reshape(sum(multiply(q, k), 1), [rows, 1]), 1 / temperature);
  const negatives = bank.similarities(q, temperature);
  const logits = concat([positive, negatives], 1);
  const columns = logits.shape[1]!;
  const first = Float32Array.from({ length: rows * columns }, (_, i) => (i % columns === 0 ? 1 : 0));
  const loss = mean(softCrossEntropy(logits, Tensor.constant(q.device, first, [rows, columns])));
  const toldApart = withoutGradients(() => mean(atLeast(positive, topK(negatives, 1).values)));
  return { loss: reshape(loss, [1]), toldApart: reshape(toldApart, [1]) };
}
