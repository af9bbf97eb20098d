import { type Command, InvalidArgumentError } from "commander";
import type { Device } from "../engine/device/device.ts";
import { openDevice } from "../engine/device/open.ts";
import type { OpenOptions } from "../engine/device/options.ts";
import { parseBytes } from "../engine/memory/report.ts";
import type { MpiRanks } from "../engine/ranks/mpi.ts";
import { restoreChoices, tuneAndStore } from "../engine/tune/choices.ts";
import { opened } from "./profile-hook.ts";

/** Opens the device for a command. */
export async function openCommandDevice(options: OpenOptions = {}, tuning: TuningFlags = {}): Promise<Device> {
  const device = await openDevice({
    onNote,
    ...adapterOf(process.env["ACUTANCE_ADAPTER"]),
    ...(tuning.subgroupMatrices && { subgroupMatrices: true }),
    ...options,
  });
  device.tuner.enabled = tuning.tune !== false;
  if (device.tuner.enabled && !tuning.retune) await restoreChoices(device, { onNote });
  await opened.tell?.(device);
  return device;
}

/** What the flags say of the choice among kernels. */
export interface TuningFlags {
  /** False: every kernel runs its default. */
  readonly tune?: boolean;
  /** Choices made before are forgotten and made again. */
  readonly retune?: boolean;
  /** See {@link OpenOptions.subgroupMatrices}. */
  readonly subgroupMatrices?: boolean;
}

/** The flags of {@link TuningFlags}. */
export function addTuningOptions(command: Command): Command {
  return command
    .option("--no-tune", "run every kernel in its default form instead of the fastest one measured")
    .option("--retune", "measure which kernels are fastest anew; choices are kept in the user's cache folder")
    .option(
      "--subgroup-matrices",
      "experimental: multiply f16 tensors on the adapter's matrix units, with other bits (also ACUTANCE_SUBGROUP_MATRICES=1)",
    );
}

/** Time that tuning may take at once, ms, and the share of a command's time that it may take later. */
const firstTuningMs = 2000;
const tuningShare = 0.05;

/**
 * Times kernels that a command has run and that were never timed on this adapter, within a small share of the command's
 * time, and stores the choices.
 */
export function pacedTuning(): (device: Device) => Promise<void> {
  const start = performance.now();
  let spentMs = 0;
  return async (device) => {
    const now = performance.now();
    const budgetMs = firstTuningMs + tuningShare * (now - start) - spentMs;
    if (device.tuner.untried === 0 || budgetMs <= 0) return;
    await tuneAndStore(device, { budgetMs, onNote });
    spentMs += performance.now() - now;
  };
}

function onNote(note: string): void {
  console.error(note);
}

/** Bytes written as 4GiB, for commander. */
export function byteCount(text: string): number {
  try {
    return parseBytes(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** Name, text and parser of the option that sets {@link OpenOptions.memoryLimitBytes}. */
export const memoryOption = [
  "--memory <size>",
  "device memory that may be used, e.g. 4GiB (default: all, on software adapters four fifths of what the host has free)",
  byteCount,
] as const;

/** Text of the option that sets {@link OpenOptions.checkNumbers}. */
export const checkNumbersOption = [
  "--check-numbers",
  "stop at the first NaN or infinity and name the operation and layer it came from; slower (also ACUTANCE_CHECK_NUMBERS=1)",
] as const;

interface DeviceFlags {
  readonly memory?: number;
  readonly checkNumbers?: boolean;
}

/** How the flags of a command ask for its device. */
export function deviceOptions({ memory, checkNumbers }: DeviceFlags): OpenOptions {
  return { ...(memory !== undefined && { memoryLimitBytes: memory }), ...(checkNumbers && { checkNumbers }) };
}

/** How a command opens its device, and opens it again after a loss. */
export function deviceSource(flags: DeviceFlags & TuningFlags): () => Promise<Device> {
  return () => openCommandDevice(deviceOptions(flags), flags);
}

/**
 * The same for one of several ranks: the adapter is that of its number among the ranks of its computer. Where the adapter is a software
 * driver, ranks wait for one another without keeping a processor busy.
 */
export function rankDevice(flags: DeviceFlags & TuningFlags, ranks: MpiRanks): () => Promise<Device> {
  return async () => {
    const adapter = adapterOf(process.env["ACUTANCE_ADAPTER"], ranks.local.rank);
    const device = await openCommandDevice({ ...deviceOptions(flags), ...adapter }, flags);
    ranks.patient = device.isSoftware;
    return device;
  };
}

/** The adapter that ACUTANCE_ADAPTER names: a part of its name or, by commas, one for each rank of a computer, in turns. */
function adapterOf(names = "", place = 0): Pick<OpenOptions, "adapter"> {
  const given = names.split(",").flatMap((name) => name.trim() || []);
  return given.length > 0 ? { adapter: given[place % given.length]! } : {};
}
