import { type PipelineInfo, ProgramDevice } from "./device.ts";
import type { EncoderState } from "./encoder-state.ts";
import { type Wrapper, wrapMethods } from "./methods.ts";
import type { TakePair } from "./timestamps.ts";

type Call = (args: readonly unknown[], on?: object) => unknown;

/** A render pass of the program, timed as a whole. */
export class RenderPass {
  readonly state: EncoderState;
  readonly #label: string;
  readonly #pipelines: PipelineInfo[] = [];
  readonly #startMs: number;
  readonly #scope: string;
  readonly #cold: { value: boolean } = { value: false };
  #draws = 0;
  #end: (taker: TakePair) => void;
  #isEnded = false;

  private constructor(state: EncoderState, label: string, end: (taker: TakePair) => void) {
    this.state = state;
    this.#label = label;
    this.#end = end;
    this.#scope = ProgramDevice.scopeOf(state.debug);
    this.#startMs = state.device.shared.recorder.nowMs();
  }

  /** @returns the pass for the program, an object of the runtime's */
  static begin(state: EncoderState, descriptor: GPURenderPassDescriptor, call: Call): object {
    if (state.isOpen) return call([descriptor]) as object;
    // One that has timestamps of the program's own gets ours around it.
    const stamps = descriptor?.timestampWrites ? undefined : state.around();
    const end = stamps ? stamps.take : state.between();
    const pass = call([stamps ? { ...descriptor, timestampWrites: stamps.writes } : descriptor]) as object;
    state.isOpen = true;
    passes.set(pass, new RenderPass(state, descriptor?.label ?? "", end));
    wrapMethods("GPURenderPassEncoder", pass, methods, state.device.shared.recorder.timed);
    return pass;
  }

  setPipeline(pipeline: object): void {
    const info = this.state.device.shared.pipelines.get(pipeline);
    if (!info) return;
    this.#cold.value ||= !info.used;
    info.used = true;
    if (!this.#pipelines.includes(info)) this.#pipelines.push(info);
  }

  draw(): void {
    this.#draws++;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.state.isOpen = false;
    const { device } = this.state;
    const { recorder, config } = device.shared;
    const work = device.work(
      {
        kind: "render",
        label: this.#label,
        pipelines: this.#pipelines.map(({ id }) => id),
        grid: [0, 0, 0],
        bound: [],
        scope: this.#scope,
        stack: config.split ? recorder.stackOf() : -1,
        works: this.#draws,
        bytes: 0,
      },
      this.#cold.value,
      this.#startMs,
    );
    this.#end(this.state.add(work));
  }
}

const passes = new WeakMap<object, RenderPass>();

const draw: Wrapper = (self, args, call) => {
  passes.get(self)?.draw();
  return call(args);
};

const methods: Record<string, Wrapper> = {
  setPipeline(self, args, call) {
    const result = call(args);
    passes.get(self)?.setPipeline(args[0] as object);
    return result;
  },
  draw,
  drawIndexed: draw,
  drawIndirect: draw,
  drawIndexedIndirect: draw,
  executeBundles: draw,
  end(self, args, call) {
    const result = call(args);
    passes.get(self)?.end();
    return result;
  },
};
