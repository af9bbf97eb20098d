import { createHash } from "node:crypto";
import { z } from "zod";
import type { Device } from "../device/device.ts";
import { wholeText } from "../kernel/text.ts";
import { Cache, type CacheKey, deviceKey } from "./cache.ts";
import type { TuneOptions } from "./tuner.ts";

/** Kernels among whose specialisations the tuner chooses: choices hold as long as their texts. */
const tunedKernels = [
  "conv/tile",
  "conv/shared_tile",
  "conv/matrix_tile",
  "conv/weight_gradient",
  "conv/shared_weight_gradient",
  "attention/forward",
  "attention/gradient",
  "attention/shared_forward",
  "attention/shared_gradient",
];

export interface ChoiceOptions {
  /** Takes one sentence about a cache that cannot be used. */
  readonly onNote?: (note: string) => void;
  /** By default the user's cache folder. */
  readonly folder?: string;
}

function choiceCache({ onNote, folder }: ChoiceOptions): Cache<Record<string, string>> {
  return new Cache({
    name: "tuning",
    version: 1,
    schema: z.record(z.string(), z.string()),
    ...(onNote && { onNote }),
    ...(folder && { folder }),
  });
}

function keyOf(device: Device): CacheKey {
  const hash = createHash("sha256");
  for (const name of tunedKernels) hash.update(wholeText(name));
  return { ...deviceKey(device), kernels: hash.digest("hex") };
}

/** Lets a device's tuner go on from the choices stored for its adapter, driver and kernels; returns how many there are. */
export async function restoreChoices(device: Device, options: ChoiceOptions = {}): Promise<number> {
  const stored = Object.entries((await choiceCache(options).read(keyOf(device))) ?? {});
  device.tuner.restore(stored);
  return stored.length;
}

/** Times what the device was asked for and does not know ({@link Tuner.tune}), and stores the choices when there are new ones. */
export async function tuneAndStore(device: Device, options: ChoiceOptions & TuneOptions = {}): Promise<number> {
  const tuned = await device.tuner.tune(options);
  if (tuned > 0) await storeChoices(device, options);
  return tuned;
}

/** Stores the choices of a device's tuner beside those stored before. */
export async function storeChoices(device: Device, options: ChoiceOptions = {}): Promise<void> {
  const cache = choiceCache(options);
  const key = keyOf(device);
  // Another process may have stored choices in the meantime.
  const stored = (await cache.read(key)) ?? {};
  await cache.write(key, { ...stored, ...Object.fromEntries(device.tuner.choices) });
}
