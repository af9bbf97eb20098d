import type { Device } from "../device/device.ts";

/** One of several ways to run an operation. All give the same bits, so that the choice is a matter of time alone. */
export interface Way {
  /** Names the way among its fellows, across processes. */
  readonly name: string;
}

/** An operation on tensors of its own, to be timed. */
export interface Trial<W> {
  readonly run: (way: W) => void;
  readonly dispose: () => void;
}

/** Times of the ways of one operation on one shape, fastest first. */
export interface Tuning {
  readonly key: string;
  readonly chosen: string;
  /** `spread`: how much longer than the least time the median one was, as a share of it. */
  readonly times: readonly { readonly way: string; readonly milliseconds: number; readonly spread: number }[];
}

export interface TuneOptions {
  /** After this time no further operation is begun, milliseconds; 2,000 unless given. Above 0 it is enough for one. */
  readonly budgetMs?: number;
  readonly onTuned?: (tuning: Tuning) => void;
}

interface Untried {
  readonly ways: readonly Way[];
  readonly trial: () => Trial<Way>;
}

/** Timed rounds over all ways, after one that compiles: so many at least, and no more than that. */
const rounds = 5;
const mostRounds = 20;
/** A least time is believed when the second least is within this factor of it; else there are further rounds. */
const confirmed = 1.05;
/** Calls in one timing are repeated until they take about so long: shorter ones drown in the latency of waiting. */
const leastMs = 4;
/** The default stays unless another way takes less than this share of its time. */
const clearlyFaster = 0.97;

/**
 * Chooses among the ways to run an operation by measurement. An operation asks {@link choose} at every call and gets the
 * chosen way or, before there is one, its default; {@link tune} times what was asked for and not known. Recording never
 * waits for a measurement.
 */
export class Tuner {
  readonly #device: Device;
  readonly #chosen = new Map<string, string>();
  readonly #untried = new Map<string, Untried>();
  readonly #tunings: Tuning[] = [];
  /** Off: every operation runs its default. */
  enabled = true;

  constructor(device: Device) {
    this.#device = device;
  }

  /**
   * The way to run an operation on a shape.
   * @param key operation, shape and types: what the time depends on
   * @param ways not empty, the default first
   * @param trial makes the operation to be timed; called by {@link tune} alone
   */
  choose<W extends Way>(key: string, ways: readonly W[], trial: () => Trial<W>): W {
    if (!this.enabled || ways.length === 1) return ways[0]!;
    const chosen = this.#chosen.get(key);
    if (chosen === undefined) {
      // A trial is handed the ways it was given with.
      if (!this.#untried.has(key)) this.#untried.set(key, { ways, trial: trial as unknown as () => Trial<Way> });
      return ways[0]!;
    }
    return ways.find(({ name }) => name === chosen) ?? ways[0]!;
  }

  /** Operations that were run and not yet timed. */
  get untried(): number {
    return this.#untried.size;
  }

  /** What was timed on this device, losers too. */
  get tunings(): readonly Tuning[] {
    return this.#tunings;
  }

  /** The choices by key, for a cache. */
  get choices(): ReadonlyMap<string, string> {
    return this.#chosen;
  }

  /** Takes over choices made before, from a cache. Unknown names fall back to the default. */
  restore(choices: Iterable<readonly [key: string, way: string]>): void {
    for (const [key, way] of choices) this.#chosen.set(key, way);
  }

  /** Times operations that were asked for, until none is left or the budget is spent; returns how many were timed. */
  async tune({ budgetMs = 2000, onTuned }: TuneOptions = {}): Promise<number> {
    const end = performance.now() + budgetMs;
    let done = 0;
    for (const [key, untried] of this.#untried) {
      if (budgetMs <= 0 || (done > 0 && performance.now() >= end)) break;
      this.#untried.delete(key);
      const tuning = await this.#time(key, untried);
      this.#chosen.set(key, tuning.chosen);
      this.#tunings.push(tuning);
      onTuned?.(tuning);
      done++;
    }
    return done;
  }

  async #time(key: string, { ways, trial }: Untried): Promise<Tuning> {
    const { run, dispose } = trial();
    try {
      const timing = async (way: Way, repeats: number) => {
        const start = performance.now();
        this.#device.labels.within({ phase: "other", op: "tuning" }, () => {
          for (let i = 0; i < repeats; i++) run(way);
        });
        await this.#device.finish();
        return (performance.now() - start) / repeats;
      };
      await this.#device.finish();
      const entries: { way: Way; repeats: number; times: number[] }[] = [];
      for (const way of ways) {
        await timing(way, 1);
        const once = await timing(way, 1);
        entries.push({ way, repeats: Math.min(100, Math.max(1, Math.ceil(leastMs / once))), times: [once] });
      }
      const fastest = Math.min(...entries.map(({ times }) => times[0]!));
      // In turn, so that what else the machine does meets all alike; ways that are far behind are not waited for.
      const contenders = entries.filter(({ times }) => times[0]! < 2 * fastest);
      // What disturbs one way alone would decide between them: its quiet moments are waited for.
      for (let round = 0; round < mostRounds; round++) {
        const open = round < rounds ? contenders : contenders.filter(({ times }) => !isConfirmed(times));
        if (open.length === 0) break;
        for (const entry of open) entry.times.push(await timing(entry.way, entry.repeats));
      }
      const results = entries.map(({ way, times }) => {
        const sorted = times.toSorted((a, b) => a - b);
        const least = sorted[0]!;
        return { way: way.name, milliseconds: least, spread: sorted[Math.floor(sorted.length / 2)]! / least - 1 };
      });
      const best = results.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
      const chosen = best.milliseconds < clearlyFaster * results[0]!.milliseconds ? best : results[0]!;
      return { key, chosen: chosen.way, times: results.sort((a, b) => a.milliseconds - b.milliseconds) };
    } finally {
      dispose();
    }
  }
}

function isConfirmed(times: readonly number[]): boolean {
  const [least, second] = times.toSorted((a, b) => a - b) as [number, number];
  return second <= confirmed * least;
}
