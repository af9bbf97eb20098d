import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { cpus } from "node:os";
import { ConditionWatch, type Stretch, taintAt, taintsOf } from "../../../engine/profile/conditions.ts";
import { callFigures, type TimedEvent } from "../../../engine/profile/figures.ts";
import { conditionMarks, conditionsOf, withTaints } from "../../../engine/profile/tainted.ts";

function stretch(fromMs: number, toMs: number, other: Partial<Stretch> = {}): Stretch {
  return { fromMs, toMs, othersCores: 0, megahertz: 3000, throttles: 0, ...other };
}

function event(beginMs: number, endMs: number): TimedEvent {
  return { cold: false, submit: 0, recordedMs: beginMs, beginMs, endMs, usedBytes: 0 };
}

test("stretches are tainted by others' work, a slow clock and heat, as far as the machine is large", () => {
  const all = [
    stretch(0, 10),
    stretch(10, 20, { othersCores: 0.5 }),
    stretch(20, 30, { megahertz: 2000 }),
    stretch(30, 40, { throttles: 1 }),
  ];
  expect(taintsOf(all, 2).map(({ fromMs, taint }) => [fromMs, taint])).toEqual([
    [10, "busy"],
    [20, "throttled"],
    [30, "throttled"],
  ]);
  expect(taintsOf(all, 64).map(({ fromMs }) => fromMs)).toEqual([20, 30]);
  const tainted = taintsOf(all, 2);
  expect([taintAt(tainted, 1, 9), taintAt(tainted, 5, 11), taintAt(tainted, 19, 21), taintAt(tainted, 41, 50)]).toEqual(
    [undefined, "busy", "busy", undefined],
  );
});

test("tainted calls are left out of the median where there are others, and counted", () => {
  const quiet = Array.from({ length: 5 }, (_, i) => event(2 * i, 2 * i + 1));
  const busy = Array.from({ length: 7 }, (_, i) => event(100 + 10 * i, 105 + 10 * i));
  const stretches = [stretch(0, 50), stretch(50, 200, { othersCores: cpus().length })];
  const events = withTaints([...quiet, ...busy], stretches, 0);
  const figures = callFigures(events);
  expect(figures).toMatchObject({ calls: 12, coldCalls: 0, taintedCalls: 7 });
  expect(figures.milliseconds).toMatchObject({ median: 1, most: 1, total: 5 + 35 });
  // Where all are tainted they have to do.
  expect(callFigures(events.slice(5)).milliseconds.median).toBe(5);
  const conditions = conditionsOf(stretches, [events])!;
  expect(conditions.taintedShare).toBeCloseTo(7 / 12, 12);
  expect(conditionMarks(events, conditions)).toEqual({ "busy-machine": true, throttled: false, slowing: false });
});

test("kernels that become slower and slower are noticed", () => {
  const calls = Array.from({ length: 30 }, (_, i) => event(10 * i, 10 * i + 1 + i / 30));
  const conditions = conditionsOf([stretch(0, 300)], [calls])!;
  expect(conditions.slowdown).toBeGreaterThan(1.4);
  expect(conditionMarks(calls, conditions).slowing).toBe(true);
});

test("a process beside this one is seen", async () => {
  const others = Array.from({ length: cpus().length }, () =>
    spawn(process.execPath, ["-e", "const end = Date.now() + 5000; while (Date.now() < end);"], { stdio: "ignore" }),
  );
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const watch = new ConditionWatch();
    await new Promise((resolve) => setTimeout(resolve, 800));
    watch.stop();
    expect(watch.stretches.length).toBeGreaterThan(2);
    expect(taintsOf(watch.stretches, cpus().length).some(({ taint }) => taint === "busy")).toBe(true);
  } finally {
    for (const other of others) other.kill();
  }
}, 20_000);
