import type { Device } from "./device.ts";

/**
 * A device of the host's own, or how to open one. Whoever is given the latter owns the devices it opens, closes them, and
 * can replace one that was lost.
 */
export type DeviceSource = Device | (() => Promise<Device>);
