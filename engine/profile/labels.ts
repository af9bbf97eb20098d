import { LayerPaths, type Named } from "../layer-paths.ts";

/** What a dispatch was recorded for. */
export const phases = ["forward", "backward", "optimiser", "graph", "input", "other"] as const;
export type Phase = (typeof phases)[number];

/** What the tape says of an operation. */
interface Recorded {
  readonly operation: string;
  readonly inputs: readonly Named[];
}

/** What a dispatch was recorded for; filled in when its operation is. */
export interface Label {
  op: string | undefined;
  layer: string;
  phase: Phase;
}

/** What is known of everything recorded in a piece of work; the outermost word counts. */
export interface LabelContext {
  readonly op?: string;
  readonly layer?: string;
  readonly phase?: Phase;
  /** Path of the block of layers at work: the layer of an operation that joins what came from several layers. */
  readonly block?: string;
}

/**
 * Labels dispatches with operation, layer and phase. An operation puts itself on the tape after its dispatches, so that
 * those since the last operation share one label, which is filled in then; gradients, updates and other work say what they
 * are beforehand ({@link within}). Does nothing until somebody holds it.
 */
export class Labels {
  readonly #layers = new LayerPaths();
  #holders = 0;
  #context: LabelContext = {};
  #current: Label = blank({});

  /** Labels from now on until the returned function is called, which may be called once. */
  hold(): () => void {
    if (this.#holders++ === 0) this.#current = blank(this.#context);
    return () => {
      this.#holders--;
    };
  }

  /** The label of what is recorded now. */
  get current(): Label {
    return this.#current;
  }

  /** Path of the block of layers at work. */
  get block(): string | undefined {
    return this.#context.block;
  }

  /** What was recorded so far belongs to no later operation. */
  cut(): void {
    if (this.#holders > 0) this.#current = blank(this.#context);
  }

  /** Runs synchronous `work` whose dispatches are of that operation, layer or phase. */
  within<T>(context: LabelContext, work: () => T): T {
    if (this.#holders === 0) return work();
    const [before, label] = [this.#context, this.#current];
    this.#context = { ...context, ...before };
    this.#current = blank(this.#context);
    try {
      return work();
    } finally {
      this.#context = before;
      // What an operation did before and does after inner work is one piece.
      this.#current = label;
    }
  }

  /** Runs the gradient of the operation that made `output`, which is of the same layer. */
  gradient<T>({ operation, inputs }: Recorded, output: Named, work: () => T): T {
    if (this.#holders === 0) return work();
    const layer = this.#layers.noted(output) ?? this.#layers.of(inputs);
    return this.within({ phase: "backward", op: operation, layer }, work);
  }

  /** Labels the dispatches since the last operation. */
  record(operation: string, inputs: readonly Named[], output: Named): void {
    if (this.#holders === 0 || this.#context.op !== undefined) return;
    const layer = this.#layers.of(inputs, this.#context.block);
    this.#layers.note(output, layer);
    const label = this.#current;
    label.op = operation;
    label.layer = this.#context.layer ?? layer;
    label.phase = this.#context.phase ?? "forward";
    this.#current = blank(this.#context);
  }
}

function blank({ op, layer = "", phase = "other" }: LabelContext): Label {
  return { op, layer, phase };
}
