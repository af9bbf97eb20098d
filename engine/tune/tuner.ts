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
  /**
   * `milliseconds`: of the default the median over all rounds, of the others the same times the median of their ratio to the
   * default in the same round. `spread`: half the distance between the 16th and the 84th percentile of that ratio.
   */
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

/** Timed rounds over all ways, after one that compiles. */
const rounds = 9;
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
      // In turn, and compared within a round: what else the machine does, and for how long, meets all alike. Ways that are
      // far behind are not waited for.
      const [first] = entries;
      const contenders = entries.filter((entry) => entry === first || entry.times[0]! < 3 * fastest);
      for (let round = 0; round < rounds; round++) {
        for (const entry of contenders) entry.times.push(await timing(entry.way, entry.repeats));
      }
      const defaultMs = quantile(first!.times, 0.5);
      const results = entries.map(({ way, times }) => {
        const ratios = times.map((ms, round) => ms / first!.times[round]!);
        const spread = (quantile(ratios, 0.84) - quantile(ratios, 0.16)) / 2;
        return { way: way.name, milliseconds: defaultMs * quantile(ratios, 0.5), spread };
      });
      const best = results.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
      const chosen = best.milliseconds < clearlyFaster * results[0]!.milliseconds ? best : results[0]!;
      return { key, chosen: chosen.way, times: results.sort((a, b) => a.milliseconds - b.milliseconds) };
    } finally {
      dispose();
    }
  }
}

/** The element of rank `share` of the way from the least to the greatest. */
function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.round(share * (values.length - 1))]!;
}
