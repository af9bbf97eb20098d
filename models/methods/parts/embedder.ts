import { withoutGradients } from "../../../engine/autograd.ts";
import { concat } from "../../../engine/ops/join.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { Outputs } from "../../networks/model.ts";
import { count } from "../../options.ts";
import type { PartRows, PhaseContext } from "../../training/method.ts";
import { rowsOf, viewOf } from "../../training/rows.ts";
import { Layers } from "./layers.ts";
import { Teacher } from "./teacher.ts";
import type { Held, UnlabelledPart } from "./with-unlabelled.ts";

/** A view of the pictures of a part, by its place among theirs. */
export type ViewPlace = readonly [part: PartRows, view: number];

/** What is made of a view of n pictures. */
export interface EmbeddedView {
  /** [n, m]. */
  readonly logits: Tensor;
  /** [n, d], rows of length 1. */
  readonly embedding: Tensor;
}

/** Options of a projection. */
export const projectionShape = {
  projection: count.max(65_536).default(64).describe("length of the embedding that pictures are compared by"),
};

export interface EmbedderOptions {
  readonly seed: number;
  /** d, length of an embedding. */
  readonly projection: number;
  /** What negative numbers between the layers of the projection are multiplied with. @default 0 */
  readonly leak?: number;
  /** What the teacher keeps of itself at a step; 0 for none. */
  readonly teacher: number;
}

/** A network with a projection beside it, f = l2(W₂ σ(W₁ h + b₁) + b₂), and the teacher of both where there is one. */
export class Embedder {
  /** What learns beside the network. */
  readonly modules: readonly Held[];
  readonly state: readonly Held[];
  readonly #context: PhaseContext;
  readonly #projection: Layers;
  readonly #teacher: { readonly itself: Teacher; readonly projection: Layers } | undefined;

  constructor(context: PhaseContext, { teacher, seed, projection: length, leak = 0 }: EmbedderOptions) {
    const { model } = context;
    const { featureLength: d } = model;
    const drawn = () => new Layers(model.device, "projection", { seed, lengths: [d, d, length], leak });
    this.#context = context;
    this.#projection = drawn();
    this.modules = [this.#projection];
    if (teacher > 0) {
      const projection = drawn();
      this.#teacher = { itself: new Teacher({ model, modules: this.modules }, [projection], teacher), projection };
    }
    this.state = this.#teacher ? [this.#teacher.itself] : [];
  }

  /** How the teacher moves on. */
  get hooks(): Pick<UnlabelledPart, "beforeEpoch" | "afterUpdate" | "readsInput"> {
    const { itself } = this.#teacher ?? {};
    if (!itself) return {};
    return {
      readsInput: true,
      async beforeEpoch() {
        itself.takeStatistics();
        return false;
      },
      afterUpdate: () => itself.update(),
    };
  }

  /** Views by the network itself, with gradients. @param outputs of the micro-batch */
  learnt({ logits, feature }: Outputs, shown: readonly ViewPlace[]): EmbeddedView[] {
    const embedding = l2Normalise(this.#projection.forward(feature));
    return shown.map(([part, view]) => ({
      ...{ logits: viewOf(logits, part, view), embedding: viewOf(embedding, part, view) },
    }));
  }

  /** Views by the teacher, by the network itself where there is none; without gradients. @param input of the micro-batch */
  taught(outputs: Outputs, input: Tensor, shown: readonly ViewPlace[]): EmbeddedView[] {
    return withoutGradients(() => {
      if (!this.#teacher) return this.learnt(outputs, shown);
      const { itself, projection } = this.#teacher;
      const rows = concat(shown.map(([part, view]) => viewOf(input, part, view)));
      const { logits, feature } = itself.answers(this.#context.inputs, rows);
      const embedding = l2Normalise(projection.forward(feature));
      let start = 0;
      return shown.map(([{ count }]) => {
        const own = (x: Tensor) => rowsOf(x, start, count);
        const view = { logits: own(logits), embedding: own(embedding) };
        start += count;
        return view;
      });
    });
  }
}
