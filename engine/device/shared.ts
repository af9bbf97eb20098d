import type { Device } from "./device.ts";
import { openDevice } from "./open.ts";

/** A device that somebody uses. */
export interface DeviceLease {
  readonly device: Device;
  /** Says that it is not used any more; a second call does nothing. */
  readonly release: () => void;
}

/**
 * One device for all who ask for it at the same time: opened for the first, closed with the last, and opened once more when it
 * was lost, for whoever asks again.
 */
export class SharedDevice {
  readonly #open: () => Promise<Device>;
  #present: { readonly opening: Promise<Device>; users: number } | undefined;

  /** @param open opens a device, the first and each that replaces one. @default the best adapter at hand */
  constructor(open: () => Promise<Device> = openDevice) {
    this.#open = open;
  }

  /** How many use the device; those of one that was lost do not count. */
  get users(): number {
    return this.#present?.users ?? 0;
  }

  /** The device, for the caller until it is released. @throws what opening it throws, for all who wait for it */
  async lease(): Promise<DeviceLease> {
    for (;;) {
      this.#present ??= { opening: this.#open(), users: 0 };
      const present = this.#present;
      const leave = () => {
        if (this.#present === present) this.#present = undefined;
      };
      // Counted before anything is awaited: whoever releases meanwhile is not the last.
      present.users++;
      const device = await present.opening.catch((error: unknown) => {
        leave();
        throw error;
      });
      let isHeld = true;
      const release = () => {
        if (!isHeld) return;
        isHeld = false;
        if (--present.users > 0) return;
        leave();
        device.close();
      };
      if (device.usable) return { device, release };
      // Its other users are told at once, and what it holds is free before another is opened.
      device.close();
      leave();
      release();
    }
  }
}
