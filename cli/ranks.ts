import { availableParallelism, cpus } from "node:os";
import { setTimeout } from "node:timers/promises";
import { launchedRank } from "../engine/ranks/launch.ts";
import { MpiRanks } from "../engine/ranks/mpi.ts";
import { RankError } from "../engine/ranks/ranks.ts";
import { TrainingInterrupted } from "../models/training/training.ts";
import { printError } from "./print-error.ts";

/** Text of the option that has a training join ranks whose launcher is not known. */
export const mpiOption = [
  "--mpi",
  "train together with other processes over MPI also where the launcher is not known; mpirun, mpiexec and srun are",
] as const;

/** A rank that stops with an error leaves so long to each rank before it, which may say the same. */
const politeMs = 400;

/** The ranks that this process was started as one of, where there are several; undefined for a process alone. */
async function joined(asked: boolean): Promise<MpiRanks | undefined> {
  const launched = launchedRank();
  const unknownSize = process.env["PMIX_RANK"] !== undefined && !launched;
  if (!asked && !unknownSize && (launched?.size ?? 1) === 1) return undefined;
  const ranks = await MpiRanks.start({ patient: true });
  if (ranks.size > 1) return ranks;
  await ranks[Symbol.asyncDispose]();
  return undefined;
}

/**
 * Does work alone, or as one of the ranks that `mpirun` started. Of ranks the first speaks; the others only say what ended them. An
 * error of one ends all, and so does the death of one.
 * @param again what the user types to go on, without mpirun before it
 */
export async function inRanks(
  { mpi = false }: { readonly mpi?: boolean },
  again: string,
  work: (ranks: MpiRanks | undefined) => Promise<void>,
): Promise<void> {
  const ranks = await joined(mpi);
  if (!ranks) return work(undefined);
  const unmute = ranks.rank > 0 ? mute() : () => {};
  const hint = `go on with: mpirun -n ${ranks.size} ${again}`;
  const fail = (error: unknown): never => {
    unmute();
    const whose = error instanceof RankError ? "" : `${ranks.name(ranks.rank)} ended all: `;
    printError(error, whose);
    const { advice = "" } = error as { advice?: unknown };
    if (!String(advice).includes("--resume")) console.error(`once there is a checkpoint, ${hint}`);
    ranks.abort(1);
    process.exit(1);
  };
  // mpirun ends the others when one dies, and leaves them no second to unwind: the checkpoint lies on disk.
  ranks.onLost = (lost) => {
    if (speaks(ranks)) fail(lost);
  };
  const onTerm = () => {
    const [dead] = ranks.dead();
    if (dead !== undefined && speaks(ranks)) fail(new RankError(`${ranks.name(dead)} has died`));
  };
  process.prependListener("SIGTERM", onTerm);
  noteBinding(ranks);
  try {
    await work(ranks);
    await ranks[Symbol.asyncDispose]();
  } catch (error) {
    // All stop after the same step.
    if (error instanceof TrainingInterrupted) {
      await ranks[Symbol.asyncDispose]();
      if (ranks.rank === 0) throw withHint(error, hint);
      process.exitCode = 1;
      return;
    }
    const before = ranks.rank - ranks.dead().filter((dead) => dead < ranks.rank).length;
    await setTimeout(politeMs * Math.min(before, 4));
    fail(error);
  } finally {
    process.off("SIGTERM", onTerm);
    unmute();
  }
}

function withHint(error: TrainingInterrupted, hint: string): Error {
  return Object.assign(new Error(error.message), { advice: hint });
}

/** Says that a rank may not use all processors, which a software adapter is made of and decoding needs. */
function noteBinding({ rank, local }: MpiRanks): void {
  const [own, all] = [availableParallelism(), cpus().length];
  if (rank === 0 && own * local.size <= all && own < all)
    console.error(
      `note: mpirun binds each rank to ${own} of ${all} processors; with a software adapter, or few processors, give it --bind-to none`,
    );
}

/** Whether this is the first of the ranks that live, as far as they are known. */
function speaks(ranks: MpiRanks): boolean {
  const dead = ranks.dead();
  return ranks.places.findIndex((_, rank) => !dead.includes(rank)) === ranks.rank;
}

/** Has this process say nothing until the returned function is called. */
function mute(): () => void {
  const streams = [process.stdout, process.stderr] as const;
  const said = [console.log, console.error] as const;
  const writes = streams.map((stream) => stream.write);
  console.log = console.error = () => {};
  for (const stream of streams) stream.write = () => true;
  return () => {
    [console.log, console.error] = said;
    streams.forEach((stream, i) => {
      stream.write = writes[i]!;
    });
  };
}
