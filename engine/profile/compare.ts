import { readFileSync } from "node:fs";
import { type ParseError, parse } from "jsonc-parser";
import { deviations, errorOfMedian } from "../tune/noise.ts";
import { type KernelProfile, type Profile, profileSchema } from "./profile.ts";

/** A file is no profile, or two profiles cannot be compared. */
export class ProfileError extends Error {
  override name = "ProfileError";
  /** What to do about it; empty where the message says so. */
  readonly advice: string;

  constructor(message: string, advice = "") {
    super(message);
    this.advice = advice;
  }
}

const takeAnother = "Name a profile, or take a new one: acutance profile --json FILE -- COMMAND";

/** A kernel in one of two profiles, or in both. Times in ms. */
export interface KernelChange {
  readonly id: string;
  /** Kernel, operation, layer, phase and variant in words. */
  readonly name: string;
  readonly state: "slower" | "faster" | "same" | "new" | "vanished";
  /** Median of one call; null where it did not run, or ran cold only. */
  readonly before: number | null;
  readonly after: number | null;
  /** after / before; null where one is missing. */
  readonly ratio: number | null;
  /** Distance of the ratio from 1 that chance explains; see {@link noiseOf}. */
  readonly noise: number | null;
  readonly callsBefore: number;
  readonly callsAfter: number;
  /** What it means for the whole: change of the summed time. */
  readonly totalChange: number;
  /** Slower by more than threshold and noise. */
  readonly regression: boolean;
}

export interface ProfileComparison {
  readonly threshold: number;
  /** Why the figures should be read with care: machines, versions, marks that differ. */
  readonly warnings: readonly string[];
  /** The largest absolute change of the summed time first. */
  readonly kernels: readonly KernelChange[];
  /** Sums over the profiles, ms. */
  readonly totals: Readonly<Record<"wall" | "gpu" | "busy" | "idle" | "hostEncode", { before: number; after: number }>>;
  readonly regressions: number;
  /** Kernels that ran in one of the profiles only. */
  readonly unmatched: number;
  /** Kernels of both whose times could be compared. */
  readonly compared: number;
}

/**
 * Reads a profile from a file.
 * @throws ProfileError when it cannot be read, is not JSON, or not of the published form, with the first faults
 */
export function readProfile(path: string): Profile {
  const value = jsonOf(path);
  const { format } = (value ?? {}) as { format?: unknown };
  if (format !== "acutance-profile") {
    const isTrace = Array.isArray(value) || (value as { traceEvents?: unknown } | null)?.traceEvents !== undefined;
    const other = isTrace ? " (--trace writes another form)" : "";
    throw new ProfileError(
      `${path} is no profile: it is JSON, but not what "acutance profile --json" writes${other}`,
      takeAnother,
    );
  }
  const parsed = profileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const shown = issues.slice(0, 5).map(({ path: at, message }) => `  ${at.join(".") || "(whole)"}: ${message}`);
  const more = issues.length > shown.length ? `\n  and ${issues.length - shown.length} more` : "";
  throw new ProfileError(
    `${path} is no profile as acutance profile writes it:\n${shown.join("\n")}${more}`,
    takeAnother,
  );
}

function jsonOf(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ProfileError(
      `${path} is no profile: it cannot be read (${(error as NodeJS.ErrnoException).code ?? error})`,
      takeAnother,
    );
  }
  if (text.trim() === "") throw new ProfileError(`${path} is no profile: the file is empty`, takeAnother);
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors);
  const [first] = errors;
  if (!first) return value;
  const before = text.slice(0, first.offset).split("\n");
  const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
  const end = first.offset + first.length >= text.trimEnd().length ? ", its end: the file is cut" : "";
  throw new ProfileError(`${path} is no profile: it is not JSON at ${place}${end}`, takeAnother);
}

/** Calls that count for the median: cold ones do not, and tainted ones where there are others. */
export function warmCalls({ calls, coldCalls, taintedCalls = 0 }: KernelProfile): number {
  const warm = Math.max(0, calls - coldCalls);
  return warm > taintedCalls ? warm - taintedCalls : warm;
}

/** Standard error of a kernel's median; see {@link errorOfMedian}. */
export function medianError(kernel: KernelProfile): number {
  return errorOfMedian(kernel.milliseconds.spread, warmCalls(kernel));
}

/**
 * How far the ratio r = b / a of two medians may be from 1 by chance: errors of first order,
 *   noise = 2 · r · √((s_a / a)² + (s_b / b)²) + step · (1 / a + 1 / b) / 2
 * with s of {@link medianError}; half a step of each clock is added, since a median of quantised times cannot be finer.
 * @param steps of the two clocks, ms
 */
export function noiseOf(a: KernelProfile, b: KernelProfile, steps: readonly [number, number] = [0, 0]): number {
  const [ma, mb] = [a.milliseconds.median, b.milliseconds.median];
  const error = Math.hypot(medianError(a) / ma, medianError(b) / mb);
  return (mb / ma) * (deviations * error + (steps[0] / ma + steps[1] / mb) / 2);
}

/**
 * Compares two profiles kernel by kernel, by the kernels' identities.
 * @param threshold share by which a median may grow: 0.05 lets 5 % pass
 * @throws ProfileError when they were taken on different adapters or of different commands, unless `force`
 */
export function compareProfiles(
  before: Profile,
  after: Profile,
  { threshold = 0.05, force = false }: { readonly threshold?: number; readonly force?: boolean } = {},
): ProfileComparison {
  const adapters = adapterDifferences(before, after);
  if (adapters.length > 0 && !force) {
    throw new ProfileError(
      `the profiles come from different adapters (${adapters.join("; ")}); --force compares them all the same`,
    );
  }
  const commands = differing(before, after, ["command"]);
  if (commands.length > 0 && !force) {
    throw new ProfileError(
      `the profiles are of different commands (${commands.join("; ")}); --force compares them all the same`,
    );
  }
  const steps = [before.clock.stepNanoseconds / 1e6, after.clock.stepNanoseconds / 1e6] as const;
  const ids = [...new Set([...before.kernels, ...after.kernels].map(({ id }) => id))];
  const [first, second] = [byId(before), byId(after)];
  const kernels = ids
    .map((id) => changeOf(first.get(id), second.get(id), threshold, steps))
    .sort((a, b) => Math.abs(b.totalChange) - Math.abs(a.totalChange));
  // What the tuner tried is gone once it has chosen.
  const tried = (id: string) => (first.get(id) ?? second.get(id))!.op === "tuning";
  const unmatched = kernels.filter(({ id, state }) => (state === "new" || state === "vanished") && !tried(id)).length;
  const compared = kernels.filter(({ noise }) => noise !== null && Number.isFinite(noise)).length;
  const total = (key: "wallMs" | "gpuMs" | "busyMs" | "idleMs" | "hostEncodeMs") => ({
    before: before.span[key],
    after: after.span[key],
  });
  return {
    threshold,
    warnings: [
      ...adapters,
      ...commands,
      ...otherDifferences(before, after),
      ...runDifferences(before, after),
      ...countedDifferences(kernels),
    ],
    kernels,
    totals: {
      wall: total("wallMs"),
      gpu: total("gpuMs"),
      busy: total("busyMs"),
      idle: total("idleMs"),
      hostEncode: total("hostEncodeMs"),
    },
    regressions: kernels.filter(({ regression }) => regression).length,
    unmatched,
    compared,
  };
}

function byId({ kernels }: Profile): Map<string, KernelProfile> {
  return new Map(kernels.map((kernel) => [kernel.id, kernel]));
}

function changeOf(
  a: KernelProfile | undefined,
  b: KernelProfile | undefined,
  threshold: number,
  steps: readonly [number, number],
): KernelChange {
  const { id, kernel, op, layer, phase, scope, variant } = (b ?? a)!;
  const timed = (one: KernelProfile | undefined) =>
    one && warmCalls(one) > 0 && one.milliseconds.median > 0 ? one.milliseconds.median : null;
  const [from, to] = [timed(a), timed(b)];
  const known = from !== null && to !== null;
  const ratio = known ? to / from : null;
  const noise = known ? noiseOf(a!, b!, steps) : null;
  const beyond = ratio !== null && Math.abs(ratio - 1) > Math.max(threshold, noise!);
  const state = !a ? "new" : !b ? "vanished" : !beyond ? "same" : ratio! > 1 ? "slower" : "faster";
  return {
    id,
    name: [kernel, op === kernel ? "" : op, layer, phase, scope, variant].filter(Boolean).join(" · "),
    state,
    before: from,
    after: to,
    ratio,
    noise,
    callsBefore: a?.calls ?? 0,
    callsAfter: b?.calls ?? 0,
    totalChange: (b?.milliseconds.total ?? 0) - (a?.milliseconds.total ?? 0),
    regression: state === "slower",
  };
}

function differing<T extends object>(a: T, b: T, keys: readonly (keyof T & string)[]): string[] {
  const differ = keys.filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  return differ.map((key) => `${key}: ${JSON.stringify(a[key])} before, ${JSON.stringify(b[key])} after`);
}

/** Without these being equal, times say nothing about kernels. */
function adapterDifferences(a: Profile, b: Profile): string[] {
  return differing(a.machine, b.machine, ["vendor", "architecture", "description"]);
}

function otherDifferences(a: Profile, b: Profile): string[] {
  return [
    ...differing(a.machine, b.machine, ["runtime", "provider", "features", "subgroupSize", "system"]),
    ...differing(a.clock, b.clock, ["source"]),
    ...differing({ marks: [...a.marks].sort() }, { marks: [...b.marks].sort() }, ["marks"]),
  ];
}

/** When they were taken; the same profile twice is most likely a slip of the pen. */
function runDifferences(a: Profile, b: Profile): string[] {
  if (a.measuredAt === b.measuredAt) return [`both profiles are of the same run, ${a.measuredAt}`];
  return a.measuredAt > b.measuredAt
    ? [`the profile before (${a.measuredAt}) is younger than the one after (${b.measuredAt})`]
    : [];
}

function countedDifferences(kernels: readonly KernelChange[]): string[] {
  const matched = kernels.filter(({ state }) => state !== "new" && state !== "vanished");
  const uneven = matched.filter(({ callsBefore, callsAfter }) => callsBefore !== callsAfter).length;
  const untold = matched.filter(({ noise }) => noise === null || !Number.isFinite(noise)).length;
  return [
    ...(uneven > 0 ? [`${uneven} of ${matched.length} kernels ran another number of times: totals differ for it`] : []),
    ...(untold > 0
      ? [
          `${untold} of ${matched.length} kernels ran too few times warm to tell a change from chance; profile more of the same work`,
        ]
      : []),
  ];
}
