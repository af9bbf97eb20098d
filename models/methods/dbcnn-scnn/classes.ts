import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { BatchNorm, Linear } from "../../../engine/nn/layers.ts";
import type { NamedTensor } from "../../../engine/nn/named.ts";
import { add, atLeast, multiply } from "../../../engine/ops/arithmetic.ts";
import { softCrossEntropy } from "../../../engine/ops/losses.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { topK } from "../../../engine/ops/top-k.ts";
import { scale } from "../../../engine/ops/unary.ts";
import { Random } from "../../../engine/random.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { DistortionName } from "../../data/degraded/distortions.ts";
import type { PhaseContext, PhaseRun } from "../../training/method.ts";
import { classOf, degradedLevels, planDegradations } from "../../views/degraded-plan.ts";
import type { Held } from "../parts/with-unlabelled.ts";

/** Of the layers between feature and classes. */
const hidden = 256;

/** Below every logit. */
const never = -1e9;

interface ClassOptions {
  readonly seed: number;
  readonly degraded: number;
  readonly kinds: readonly string[];
}

/** The steps of the pre-training: cross-entropy over kinds and levels. */
export function classes({ seed, degraded, kinds: words }: ClassOptions, { model }: PhaseContext): PhaseRun {
  const kinds = words as readonly DistortionName[];
  const count = kinds.length * degradedLevels;
  const head = new ClassHead(model.device, seed, [model.featureLength, hidden, hidden, count]);
  return {
    figures: ["kind and level told", "kind told"],
    targets(views) {
      const data = new Float32Array(views.length * count);
      const others = new Float32Array(views.length * count).fill(never);
      // Views that are only rehearsed have no seed.
      views.forEach(({ strong = 0, version = 0 }, row) => {
        const wanted = planDegradations(strong, degraded, kinds)[version]!;
        data[row * count + classOf(wanted)] = 1;
        const first = row * count + wanted.kind * degradedLevels;
        others.fill(0, first, first + degradedLevels);
      });
      const shape = [views.length, count];
      return { wanted: { data, shape }, others: { data: others, shape } };
    },
    loss({ feature }, { wanted, others }, { unlabelled: { size } }) {
      const logits = head.forward(feature, true);
      const share = (rows: Tensor) => reshape(scale(sum(rows), 1 / (size * degraded)), [1]);
      const loss = share(softCrossEntropy(logits, wanted!));
      return withoutGradients(() => {
        const most = topK(logits, 1).values;
        const rows = most.shape[0]!;
        const own = reshape(sum(multiply(logits, wanted!), 1), [rows, 1]);
        const ofKind = topK(add(logits, others!), 1).values;
        const figures = { "kind and level told": share(atLeast(own, most)), "kind told": share(atLeast(ofKind, most)) };
        return { loss, figures };
      });
    },
    modules: () => head.tensors(),
    dispose: () => head.dispose(),
  };
}

/** What the authors have as 1x1 convolutions after the pooling: linear layers, with batch norm and ReLU between. */
class ClassHead implements Held {
  readonly #layers: readonly { readonly linear: Linear; readonly norm?: BatchNorm }[];

  constructor(device: Device, seed: number, lengths: readonly number[]) {
    const random = new Random(seed, "classes");
    this.#layers = lengths.slice(1).map((out, i) => ({
      linear: new Linear(device, random.fork(String(i)), { in: lengths[i]!, out }),
      ...(i < lengths.length - 2 && { norm: new BatchNorm(device, out) }),
    }));
  }

  forward(x: Tensor, training: boolean): Tensor {
    return this.#layers.reduce((rows, { linear, norm }) => {
      const y = linear.forward(rows);
      if (!norm) return y;
      const [count, channels] = y.shape as [number, number];
      const normal = norm.forward(reshape(y, [count, 1, 1, channels]), training, { relu: true });
      return reshape(normal, [count, channels]);
    }, x);
  }

  tensors(): NamedTensor[] {
    return this.#layers.flatMap(({ linear, norm }, i) => [
      ...linear.tensors(`classes.${i}`),
      ...(norm?.tensors(`classes.${i}.norm`) ?? []),
    ]);
  }

  dispose(): void {
    for (const { tensor } of this.tensors()) tensor.dispose();
  }
}
