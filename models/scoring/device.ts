import { expectOpenOptions, openDevice } from "../../engine/device/open.ts";
import type { OpenOptions } from "../../engine/device/options.ts";
import { type DeviceLease, SharedDevice } from "../../engine/device/shared.ts";
import type { DeviceSource } from "../../engine/device/source.ts";
import { restoreChoices } from "../../engine/tune/choices.ts";

/** Which adapter a scorer's device is opened on, and what of it is used. */
export type AdapterOptions = Omit<OpenOptions, "gpu" | "onNote">;

/** How a scorer gets its device. */
export interface Lender {
  lease(): Promise<DeviceLease>;
  /** Whether another device is had after a loss. */
  readonly replaces: boolean;
}

/** The lender that stands for what the caller of `openScorer` gave. @throws TypeError for a device and adapter options at once */
export function lenderOf(device: DeviceSource | SharedDevice | undefined, adapter?: AdapterOptions): Lender {
  if (device && adapter)
    throw new TypeError("`adapter` says how a device is opened: leave it out where `device` is given");
  if (adapter) expectOpenOptions("openScorer: adapter", adapter);
  const source = device ?? processDevice(adapter);
  if (source instanceof SharedDevice) return { lease: () => source.lease(), replaces: true };
  if (typeof source !== "function")
    return { lease: async () => ({ device: source, release: () => {} }), replaces: false };
  const lease = async () => {
    const own = await source();
    return { device: own, release: () => own.close() };
  };
  return { lease, replaces: true };
}

/** The devices of the process by the options that they are opened with. */
const processDevices = new Map<string, SharedDevice>();

/** The device that all scorers of the process share which ask for the same. */
export function processDevice(adapter: AdapterOptions = {}): SharedDevice {
  const asked = Object.entries(adapter).filter(([, value]) => value !== undefined);
  const key = JSON.stringify(asked.sort(([a], [b]) => (a < b ? -1 : 1)));
  let shared = processDevices.get(key);
  if (!shared) {
    shared = new SharedDevice(async () => {
      const device = await openDevice(adapter);
      await restoreChoices(device); // as the command line does
      return device;
    });
    processDevices.set(key, shared);
  }
  return shared;
}
