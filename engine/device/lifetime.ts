import { NumericError } from "../number-error.ts";
import { DeviceLostError, GpuError } from "./errors.ts";

/** A wait in progress: what ends it when the device is lost, and what went wrong on the device meanwhile. */
interface Wait {
  readonly end: (failure: Error) => void;
  fault: Error | undefined;
}

/** What a device does about its errors. */
interface Care {
  /** Forgets what may have been made with things that were refused. */
  readonly forget: () => void;
  /** Hands over what is recorded. */
  readonly flush: () => void;
  /** Examines all numbers recorded so far. */
  readonly examine: () => Promise<void> | undefined;
}

/** A rejected wait may be the first sign of a lost device: so long is its own notice waited for. */
const lossNoticeMs = 500;

/** How long a GPU device is there, and what has gone wrong on it: whoever waits is told, once. */
export class Lifetime {
  readonly #gpu: GPUDevice;
  readonly #care: Care;
  readonly #waits = new Set<Wait>();
  /** Told when the device is lost or closed. */
  readonly #losses = new Set<() => void>();
  #isLost = false;
  /** Why the device is gone. */
  #loss: Error | undefined;
  /** What WebGPU refused or ran out of, until somebody is told. */
  #fault: Error | undefined;
  #closed = false;
  /** Those who still need the GPU after a close. */
  #holders = 0;

  constructor(gpu: GPUDevice, care: Care) {
    this.#gpu = gpu;
    this.#care = care;
    gpu.lost.then((lost) => {
      const lossOf = () => new DeviceLostError(lost.message || lost.reason || "no reason given");
      const failure = this.#closed ? (this.#fault ?? closedError()) : lossOf();
      this.#loss = failure;
      for (const { end } of this.#waits) end(failure);
      this.#isLost = true;
      for (const listener of this.#losses) listener();
      this.#losses.clear();
    });
  }

  onLoss(listener: () => void): () => void {
    if (this.#isLost) listener();
    else this.#losses.add(listener);
    return () => this.#losses.delete(listener);
  }

  fail(error: Error, isCause: boolean): void {
    const fault = isCause ? error : (this.#fault ?? error);
    this.#fault = fault;
    for (const wait of this.#waits) wait.fault = fault;
  }

  get usable(): boolean {
    return !this.#loss && !this.#closed;
  }

  check(): void {
    if (this.#loss) throw this.#loss;
    if (this.#fault) throw this.#told(this.#fault);
    if (this.#closed) throw closedError();
  }

  async settled<T>(work: Promise<T>): Promise<T> {
    let end: (failure: Error) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    const wait: Wait = { end, fault: undefined };
    const check = async () => {
      if (wait.fault || this.#fault) await this.#heard();
      if (wait.fault && !this.#loss) throw this.#told(wait.fault);
      this.check();
    };
    this.#waits.add(wait);
    try {
      const [value] = await Promise.race([Promise.all([work, this.#care.examine()]), ended]);
      await check();
      return value;
    } catch (error) {
      if (error === wait.fault) throw error;
      await check();
      if (error instanceof NumericError) throw error;
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, lossNoticeMs))]);
      throw error;
    } finally {
      this.#waits.delete(wait);
    }
  }

  close(): void {
    this.#closed = true;
    if (this.#holders === 0) this.#gpu.destroy();
  }

  hold(): () => void {
    this.#holders++;
    return () => {
      if (--this.#holders === 0 && this.#closed) this.#gpu.destroy();
    };
  }

  /** The fault, which is not told again. */
  #told(fault: Error): Error {
    if (this.#fault === fault) {
      this.#fault = undefined;
      this.#care.forget();
      // Commands that were recorded with what was refused are refused with it: that is the same fault.
      if (this.usable) this.#quietly(this.#care.flush);
    }
    return fault;
  }

  /** Resolves when all errors so far have been heard of. */
  async #heard(): Promise<void> {
    this.#gpu.pushErrorScope("validation");
    await this.#gpu.popErrorScope().catch(() => {}); // the device went away; its own loss is reported
  }

  /** Does something whose errors nobody is told. */
  #quietly(work: () => void): void {
    this.#gpu.pushErrorScope("validation");
    try {
      work();
    } finally {
      this.#gpu.popErrorScope().catch(() => {}); // the device went away; its own loss is reported
    }
  }
}

function closedError(): GpuError {
  return new GpuError("the device was closed");
}
