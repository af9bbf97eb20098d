import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";

/** Looks at the machine in this distance, ms. */
const periodMs = 100;
/** Processors' worth of work of others that disturbs a measurement, and the same as a share of all. */
const disturbingCores = 0.3;
const disturbingShare = 0.1;
/** A processor that runs below so much of its fastest is throttled. */
const slowedShare = 0.85;

/** What a stretch of time was like. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  /** Processors that others kept busy, on average. */
  readonly othersCores: number;
  /** Mean clock of the processors, MHz; 0 where it is not told. */
  readonly megahertz: number;
  /** Times that a processor said that it was throttled by heat. */
  readonly throttles: number;
}

interface Look {
  readonly atMs: number;
  readonly busyMs: number;
  readonly ownMs: number;
  readonly megahertz: number;
  readonly throttles: number;
}

/** Watches whether the machine does something else beside this process, or runs slower. */
export class ConditionWatch {
  readonly stretches: Stretch[] = [];
  #last: Look | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param periodic looks by itself; else whenever it is told to */
  constructor(periodic = true) {
    this.#last = look();
    if (!periodic) return;
    this.#timer = setInterval(() => this.look(), periodMs);
    if (typeof this.#timer === "object") this.#timer.unref?.();
  }

  look(): Stretch | undefined {
    const now = look();
    const before = this.#last;
    if (!now || !before || now.atMs - before.atMs < periodMs / 4) return undefined;
    this.#last = now;
    const ms = now.atMs - before.atMs;
    const others = now.busyMs - before.busyMs - (now.ownMs - before.ownMs);
    const stretch = {
      fromMs: before.atMs,
      toMs: now.atMs,
      // Processors are counted in ticks of 10 ms.
      othersCores: Math.max(0, others - 10) / ms,
      megahertz: now.megahertz,
      throttles: now.throttles - before.throttles,
    };
    this.stretches.push(stretch);
    return stretch;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.look();
  }
}

/** Where a machine does not tell, or does not let us look, nothing is known. */
function look(): Look | undefined {
  try {
    const all = cpus();
    if (all.length === 0) return undefined;
    const busyMs = all.reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
    const { user, system } = process.cpuUsage();
    const megahertz = all.reduce((sum, { speed }) => sum + speed, 0) / all.length;
    const atMs = performance.now();
    return { atMs, busyMs, ownMs: (user + system) / 1e3, megahertz, throttles: throttleCount() };
  } catch {
    return undefined;
  }
}

let counters: string[] | undefined;

/** How often Linux' processors were throttled by heat since they were switched on. */
function throttleCount(): number {
  if (process.platform !== "linux") return 0;
  try {
    counters ??= readdirSync("/sys/devices/system/cpu")
      .filter((name) => /^cpu\d+$/.test(name))
      .map((name) => `/sys/devices/system/cpu/${name}/thermal_throttle/core_throttle_count`);
    return counters.reduce((sum, file) => sum + Number(readFileSync(file, "utf8")), 0);
  } catch {
    counters = [];
    return 0;
  }
}

/** Why times of a stretch are not to be trusted; undefined when they are. */
export type Taint = "busy" | "throttled";

/** Which stretches disturb. @param cores of the machine */
export function taintsOf(stretches: readonly Stretch[], cores: number): (Stretch & { readonly taint: Taint })[] {
  const fastest = stretches.reduce((most, { megahertz }) => Math.max(most, megahertz), 0);
  const limit = Math.max(disturbingCores, disturbingShare * cores);
  return stretches.flatMap((stretch): (Stretch & { readonly taint: Taint })[] => {
    const { othersCores, megahertz, throttles } = stretch;
    if (throttles > 0 || (megahertz > 0 && megahertz < slowedShare * fastest))
      return [{ ...stretch, taint: "throttled" }];
    return othersCores > limit ? [{ ...stretch, taint: "busy" }] : [];
  });
}

/** Whether a span of time touches a tainted stretch; stretches in order. */
export function taintAt(
  tainted: readonly (Stretch & { readonly taint: Taint })[],
  fromMs: number,
  toMs: number,
): Taint | undefined {
  let [low, high] = [0, tainted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tainted[middle]!.toMs < fromMs) low = middle + 1;
    else high = middle;
  }
  const found = tainted[low];
  return found && found.fromMs <= toMs ? found.taint : undefined;
}
