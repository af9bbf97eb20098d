import type { Device } from "../engine/device/device.ts";

/** Told of every device that a command opens, before the command uses it; set by `acutance profile`. */
export const opened: { tell: ((device: Device) => Promise<void>) | undefined } = { tell: undefined };
