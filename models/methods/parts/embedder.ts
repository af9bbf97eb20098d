import { withoutGradients } from "../../../engine/autograd.ts";
import { concat } from "../../../engine/ops/join.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { Outputs } from "../../networks/model.ts";
import type { PartRows, PhaseContext } from "../../training/method.ts";
import { rowsOf, viewOf } from "../../training/rows.ts";
import { Projection, type ProjectionOptions } from "./projection.ts";
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

export interface EmbedderOptions extends Omit<ProjectionOptions, "in"> {
  /** What the teacher keeps of itself at a step; 0 for none. */
  readonly teacher: number;
}

/** A network with a projection beside it, and the teacher of both where there is one. */
export class Embedder {
  /** What learns beside the network. */
  readonly modules: readonly Held[];
  readonly state: readonly Held[];
  readonly #context: PhaseContext;
  readonly #projection: Projection;
  readonly #teacher: { readonly itself: Teacher; readonly projection: Projection } | undefined;

  constructor(context: PhaseContext, { teacher, ...options }: EmbedderOptions) {
    const { model } = context;
    const drawn = () => new Projection(model.device, { ...options, in: model.featureLength });
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
  get hooks(): Pick<UnlabelledPart, "beforeEpoch" | "afterUpdate"> {
    const { itself } = this.#teacher ?? {};
    if (!itself) return {};
    return {
      async beforeEpoch() {
        itself.takeStatistics();
        return false;
      },
      afterUpdate: () => itself.update(),
    };
  }

  /** Views by the network itself, with gradients. @param outputs of the micro-batch */
  learnt({ logits, feature }: Outputs, shown: readonly ViewPlace[]): EmbeddedView[] {
    const embedding = this.#projection.forward(feature);
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
      const embedding = projection.forward(feature);
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
