import { cpus } from "node:os";
import { quantile } from "../tune/noise.ts";
import { type Stretch, type Taint, taintAt, taintsOf } from "./conditions.ts";
import { durationOf, type TimedEvent } from "./figures.ts";
import type { Mark, Profile } from "./profile.ts";

/** Slower by so much from the first third to the last is more than the usual. */
const slowing = 1.15;
/** Calls of a kernel in each third that say something of it. */
const leastCalls = 5;

/** Marks the events that ran while the machine did something else. @param startMs of the profile, by the clock of the stretches */
export function withTaints<Event extends TimedEvent>(
  events: readonly Event[],
  stretches: readonly Stretch[],
  startMs: number,
): Event[] {
  const tainted = taintsOf(stretches, cpus().length);
  if (tainted.length === 0) return [...events];
  return events.map((event) => {
    const taint = taintAt(tainted, event.beginMs + startMs, event.endMs + startMs);
    return taint ? { ...event, taint } : event;
  });
}

/** What is told of the conditions. @param groups calls of each kernel */
export function conditionsOf(
  stretches: readonly Stretch[],
  groups: readonly (readonly TimedEvent[])[],
): Profile["conditions"] {
  if (stretches.length === 0) return undefined;
  const others = stretches.map(({ othersCores }) => othersCores).sort((a, b) => a - b);
  const events = groups.flat();
  const tainted = events.filter(({ taint }) => taint).length;
  return {
    othersCores: { median: quantile(others, 0.5), most: others.at(-1)! },
    taintedShare: events.length > 0 ? tainted / events.length : 0,
    slowdown: slowdownOf(groups),
    runs: 1,
  };
}

/** How much slower calls became over the time: exp(Σ w ln(late / early) / Σ w), w the kernel's time. */
function slowdownOf(groups: readonly (readonly TimedEvent[])[]): number {
  let [sum, weights] = [0, 0];
  for (const calls of groups) {
    const times = calls.filter(({ cold, taint }) => !cold && !taint).map(durationOf);
    const third = Math.floor(times.length / 3);
    if (third < leastCalls) continue;
    const median = (part: readonly number[]) =>
      quantile(
        part.toSorted((a, b) => a - b),
        0.5,
      );
    const [early, late] = [median(times.slice(0, third)), median(times.slice(-third))];
    if (!(early > 0 && late > 0)) continue;
    const weight = times.reduce((total, ms) => total + ms, 0);
    sum += weight * Math.log(late / early);
    weights += weight;
  }
  return weights > 0 ? Math.exp(sum / weights) : 1;
}

/** The marks that the conditions give. */
export function conditionMarks(
  events: readonly TimedEvent[],
  conditions: Profile["conditions"],
): Partial<Record<Mark, boolean>> {
  const has = (taint: Taint) => events.some((event) => event.taint === taint);
  return {
    "busy-machine": has("busy"),
    throttled: has("throttled"),
    slowing: (conditions?.slowdown ?? 1) > slowing,
  };
}
