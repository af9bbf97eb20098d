import type { Tensor } from "../tensor.ts";
import { beginSum } from "./exchange-tensors.ts";
import type { Ranks } from "./ranks.ts";

/** Bytes of gradients that are summed at once: enough that the way of a message counts little, few enough to begin early. */
const bucketBytes = 4 * 2 ** 20;

/** Sums the gradients of parameters over ranks, those that are ready while others are still computed. */
export class GradientSums {
  readonly #ranks: Ranks;
  readonly #parameters: ReadonlySet<Tensor>;
  readonly #begun = new Set<Tensor>();
  readonly #ends: (() => void)[] = [];
  #bucket: Tensor[] = [];
  #bytes = 0;

  /** @param parameters whose gradients are summed, in the same order on all ranks */
  constructor(ranks: Ranks, parameters: readonly Tensor[]) {
    this.#ranks = ranks;
    this.#parameters = new Set(parameters);
  }

  /** Takes the gradient of a tensor, which is complete on this rank. */
  take(tensor: Tensor): void {
    const { gradient } = tensor;
    if (!gradient || !this.#parameters.has(tensor) || this.#begun.has(tensor)) return;
    this.#begun.add(tensor);
    this.#bucket.push(gradient);
    this.#bytes += gradient.sizeBytes;
    if (this.#bytes >= bucketBytes) this.#send();
  }

  /** Waits for all sums, those of gradients that were not taken yet among them. */
  end(): void {
    for (const tensor of this.#parameters) this.take(tensor);
    this.#send();
    for (const end of this.#ends.splice(0)) end();
  }

  #send(): void {
    const [first] = this.#bucket;
    if (!first) return;
    this.#ends.push(beginSum(first.device, this.#bucket, this.#ranks).end);
    this.#bucket = [];
    this.#bytes = 0;
  }
}
