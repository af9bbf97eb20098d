import type { ProgramDevice } from "./device.ts";
import { quietly } from "./methods.ts";
import type { Work } from "./recorder.ts";
import type { Chunk, TakePair } from "./timestamps.ts";

/** Commands that are being recorded. */
export class EncoderState {
  readonly device: ProgramDevice;
  readonly encoder: GPUCommandEncoder;
  readonly chunks: Chunk[] = [];
  readonly works: Work[] = [];
  readonly debug: string[] = [];
  readonly submitted: (() => void)[] = [];
  /** A pass that has not ended. */
  isOpen = false;

  constructor(device: ProgramDevice, encoder: GPUCommandEncoder) {
    this.device = device;
    this.encoder = encoder;
  }

  /** Timestamps around a pass, taken by whoever is named then. */
  around(): { writes: GPUComputePassTimestampWrites; take: (taker: TakePair) => void } | undefined {
    const { stamps } = this.device;
    if (!stamps) return undefined;
    const { set, begin, take } = stamps.pair(this.chunks);
    return { writes: { querySet: set, beginningOfPassWriteIndex: begin, endOfPassWriteIndex: begin + 1 }, take };
  }

  /** An empty pass that only writes timestamps. */
  stamp(timestampWrites: GPUComputePassTimestampWrites): void {
    quietly(() => this.encoder.beginComputePass({ timestampWrites }).end());
  }

  /** Times what has no timestamps of its own by empty passes around it; returns what ends it. */
  between(): (taker: TakePair) => void {
    const { stamps } = this.device;
    if (!stamps) return () => {};
    const { set, begin, take } = stamps.pair(this.chunks);
    this.stamp({ querySet: set, endOfPassWriteIndex: begin });
    return (taker) => {
      this.stamp({ querySet: set, beginningOfPassWriteIndex: begin + 1 });
      take(taker);
    };
  }

  add(work: Work): TakePair {
    this.works.push(work);
    return (begin, end) => this.device.timed(work, begin, end);
  }
}
