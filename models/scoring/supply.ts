import { DeviceLostError } from "../../engine/device/errors.ts";
import type { Network } from "./network.ts";

export interface SupplyOptions {
  /** Loads the model once more; undefined when the device is the host's own and is not replaced. */
  readonly reload: (() => Promise<Network>) | undefined;
  readonly onDeviceLost: (error: Error) => void;
}

/** Losses of the device after which one piece of work is given up. */
const mostLosses = 3;

/** A network that is there to be used, on one device after another. */
export class Supply {
  readonly #options: SupplyOptions;
  #network: Network;
  /** Replacements by the network that they replace: all that was lost with one shares its replacement. */
  readonly #replacements = new WeakMap<Network, Promise<void>>();
  #isReplacing = false;
  /** Pieces of work done. */
  #done = 0;
  #closed = false;
  /** A device may live longer than what is made on it. */
  #unwatch: () => void = () => {};

  constructor(network: Network, options: SupplyOptions) {
    this.#network = network;
    this.#options = options;
    this.#watch(network);
  }

  /** The network in use, which may be on a lost device. */
  get network(): Network {
    return this.#network;
  }

  /** False while there is no device to work on. */
  get ready(): boolean {
    return !this.#closed && !this.#isReplacing && !this.#network.broken;
  }

  /**
   * Does a piece of work, and does it again on a new device when it was lost with one: at most twice, and as long as other work
   * is done between losses.
   * @param isFinal whether an error is the work's own, whatever became of the device
   * @throws what `work` throws; DeviceLostError when no new device can be opened
   */
  async run<T>(work: (network: Network) => Promise<T>, isFinal: (error: unknown) => boolean): Promise<T> {
    let doneAtLoss = -1;
    for (let losses = 1; ; losses++) {
      const network = await this.usable();
      try {
        const result = await work(network);
        this.#done++;
        return result;
      } catch (error) {
        const isLoss = this.#options.reload && network.broken && !isFinal(error);
        if (!isLoss || losses === mostLosses || this.#done === doneAtLoss) throw error;
        doneAtLoss = this.#done;
        await this.#replacement(network);
      }
    }
  }

  /** The network, once there is one on a device that works. @throws DeviceLostError when none can be opened */
  async usable(): Promise<Network> {
    for (;;) {
      const network = this.#network;
      if (!this.#options.reload || this.ready || this.#closed) return network;
      if (!this.#isReplacing) this.#replacements.delete(network); // the last attempt has failed
      await this.#replacement(network);
    }
  }

  /** Ends the network, and its device when nobody else uses it; no work may be in progress. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#replacements.get(this.#network)?.catch(() => {});
    this.#unwatch();
    this.#network.dispose();
  }

  #replacement(lost: Network): Promise<void> {
    let replacement = this.#replacements.get(lost);
    if (!replacement) {
      this.#isReplacing = true;
      replacement = this.#replace(lost).finally(() => {
        this.#isReplacing = false;
      });
      this.#replacements.set(lost, replacement);
    }
    return replacement;
  }

  async #replace(lost: Network): Promise<void> {
    const network = await this.#options.reload!().catch((cause: unknown) => {
      if (cause instanceof DeviceLostError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new DeviceLostError(`and none could be opened in its place: ${message}`, undefined, { cause });
    });
    if (identityOf(network) !== identityOf(lost)) {
      network.dispose();
      throw new Error("the model's file has changed since it was opened and cannot be loaded on a new device");
    }
    lost.release();
    this.#network = network;
    this.#watch(network);
  }

  /** Reports the loss of a network's device, and replaces one that was in use without waiting for the next work. */
  #watch(network: Network): void {
    const doneBefore = this.#done;
    this.#unwatch = network.device.onLoss(() => {
      if (this.#closed) return;
      this.#options.onDeviceLost(failureOf(network));
      // Not when nothing was done on it: devices that are lost at once would be opened without end.
      if (this.#options.reload && this.#done > doneBefore) this.#replacement(network).catch(() => {});
    });
  }
}

/** What tells a model's file from one that took its place. */
function identityOf({ card, companions }: Network): string {
  return JSON.stringify([card, Object.values(companions).map(({ facts }) => facts)]);
}

function failureOf(network: Network): Error {
  try {
    network.device.check();
    return new DeviceLostError("no reason given");
  } catch (error) {
    return error as Error;
  }
}
