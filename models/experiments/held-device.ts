import type { Device } from "../../engine/device/device.ts";
import type { DeviceSource } from "../../engine/device/source.ts";

/** One device for many trainings, so that its kernels are compiled once; opened again when it was lost or closed. */
export class HeldDevice implements Disposable {
  readonly #source: DeviceSource;
  #device: Device | undefined;

  constructor(source: DeviceSource) {
    this.#source = source;
  }

  /** What to train on: closed by whoever meets an error on it, and then replaced. */
  get source(): DeviceSource {
    return typeof this.#source === "function" ? () => this.get() : this.#source;
  }

  async get(): Promise<Device> {
    if (typeof this.#source !== "function") return this.#source;
    if (!this.#device || !works(this.#device)) this.#device = await this.#source();
    return this.#device;
  }

  [Symbol.dispose](): void {
    if (typeof this.#source === "function") this.#device?.close();
  }
}

function works(device: Device): boolean {
  try {
    device.check();
    return true;
  } catch {
    return false;
  }
}
