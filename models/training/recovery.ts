import type { Device } from "../../engine/device/device.ts";
import { DeviceLostError } from "../../engine/device/errors.ts";
import type { DeviceSource } from "../../engine/device/source.ts";
import { removeTemporaries } from "../../engine/weights/atomic.ts";
import type { Position } from "./checkpoint.ts";
import { runFiles } from "./run-folder.ts";
import type { Session } from "./session.ts";
import type { TrainingHooks, TrainingResult } from "./training.ts";

/** Losses at which a training gives up when it came no further between them. */
const mostLosses = 3;

export interface Beginnings {
  /** A session that has left a checkpoint. */
  readonly first: (device: Device) => Promise<Session>;
  /** A session that continues from that checkpoint. */
  readonly again: (device: Device) => Promise<Session>;
}

/**
 * Runs a training to its end. When `source` opens devices, a lost one is replaced and training continues from the
 * checkpoint, with the same bits as if nothing had happened; the device of the result is open and the caller's to close.
 * @throws DeviceLostError when the device was the host's own, or when three were lost without any progress between
 */
export async function trainThroughLosses(
  source: DeviceSource,
  hooks: TrainingHooks,
  { first, again }: Beginnings,
): Promise<TrainingResult> {
  const ranks = hooks.ranks && hooks.ranks.size > 1 ? hooks.ranks : undefined;
  if ((ranks?.rank ?? 0) === 0) await removeTemporaries(hooks.folder, runFiles);
  let begin = first;
  let furthest: Position | undefined;
  let losses = 0;
  for (;;) {
    const device = typeof source === "function" ? await source() : source;
    let session: Session | undefined;
    device.ranks = ranks;
    try {
      session = await begin(device);
      begin = again;
      return await session.run();
    } catch (error) {
      if (typeof source === "function") device.close();
      if (ranks && error instanceof DeviceLostError)
        throw lossFor(error, session, hooks.folder, "others train with it");
      if (!(error instanceof DeviceLostError)) throw error;
      const reached = session?.position;
      const progressed = reached !== undefined && isFurther(reached, furthest);
      if (progressed) furthest = { ...reached };
      losses = progressed ? 1 : losses + 1;
      if (typeof source !== "function") throw lossFor(error, session, hooks.folder, "the device was given open");
      if (losses === mostLosses) throw lossFor(error, session, hooks.folder, `${losses} were lost there`);
      const from = begin === again ? "going on from the checkpoint" : "starting again";
      hooks.log?.(`the GPU device was lost ${session?.place ?? before} (${error.reason}); ${from} on a new one`);
    } finally {
      device.ranks = undefined;
    }
  }
}

function isFurther(a: Position, b: Position | undefined): boolean {
  if (!b) return true;
  return (a.stage - b.stage || a.epoch - b.epoch || a.step - b.step) > 0;
}

const before = "before training began";

function lossFor(error: DeviceLostError, session: Session | undefined, folder: string, why: string): DeviceLostError {
  const resume = session ? ` with \`acutance train ${session.method} --resume ${folder}\`` : "";
  return new DeviceLostError(
    `${error.reason}, ${session?.place ?? before}; ${why}, so training stopped`,
    `continue on a new device${resume}; when it is lost at the same place again, train with a smaller batch or input, or on another adapter`,
    { cause: error },
  );
}
