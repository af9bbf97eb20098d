import { describe, expect, test } from "bun:test";
import { setTimeout as sleep } from "node:timers/promises";
import { prefetch } from "../../../models/data/prefetch.ts";
import { collectGarbage } from "../../engine/garbage.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("prefetch", () => {
  test("keeps the order whatever loads first", async () => {
    const values: number[] = [];
    const load = (n: number) => sleep((n * 7) % 5, n * 10);
    for await (const result of prefetch(numbers(20), load, { ahead: 6, concurrency: 3 })) {
      expect(result.index).toBe(result.item);
      if (result.ok) values.push(result.value);
    }
    expect(values).toEqual(numbers(20).map((n) => n * 10));
  });

  test("keeps nothing that was handed out, also with a signal", async () => {
    const given: WeakRef<object>[] = [];
    function* items() {
      for (let i = 0; i < 200; i++) {
        const item = { bytes: new Uint8Array(10_000) };
        given.push(new WeakRef(item));
        yield item;
      }
    }
    const { signal } = new AbortController();
    let seen = 0;
    let alive = 0;
    const load = async ({ bytes }: { bytes: Uint8Array }) => bytes.slice();
    for await (const _ of prefetch(items(), load, { ahead: 4, concurrency: 2, signal })) {
      if (++seen < 150) continue;
      await sleep(0); // what a turn of the loop was given stays until it ends
      await collectGarbage();
      alive = given.filter((item) => item.deref()).length;
      break;
    }
    expect(alive).toBeLessThan(30);
  });

  test("never loads more than allowed at a time or ahead, and takes items only as needed", async () => {
    let running = 0;
    let most = 0;
    let started = 0;
    let taken = 0;
    function* endless() {
      for (;;) yield taken++;
    }
    const load = async () => {
      started++;
      most = Math.max(most, ++running);
      await sleep(1);
      running--;
    };
    let consumed = 0;
    for await (const _ of prefetch(endless(), load, { ahead: 5, concurrency: 2 })) {
      consumed++;
      await sleep(2);
      expect(started - consumed).toBeLessThan(5);
      expect(taken).toBeLessThanOrEqual(consumed + 5);
      if (consumed === 12) break;
    }
    expect(most).toBe(2);
    expect(running).toBe(0);
  });

  test("a failing item is a result, thrown or rejected, and the rest goes on", async () => {
    const load = (n: number) => {
      if (n === 1) throw new Error("at once");
      return n === 3 ? Promise.reject(new Error("later")) : Promise.resolve(n);
    };
    const seen: string[] = [];
    for await (const result of prefetch(numbers(5), load)) {
      seen.push(result.ok ? String(result.value) : (result.error as Error).message);
    }
    expect(seen).toEqual(["0", "at once", "2", "later", "4"]);
  });

  test("an asynchronous source is waited for, but not with what is loaded already", async () => {
    const gate = Promise.withResolvers<void>();
    async function* slow() {
      yield 1;
      yield 2;
      await gate.promise;
      yield 3;
    }
    const seen: number[] = [];
    for await (const result of prefetch(slow(), (n) => n * 10)) {
      if (result.ok) seen.push(result.value);
      if (seen.length === 2) gate.resolve();
    }
    expect(seen).toEqual([10, 20, 30]);

    async function* failing() {
      yield 1;
      throw new Error("no more");
    }
    const walk = async () => {
      for await (const result of prefetch(failing(), (n) => n)) if (result.ok) seen.push(result.value);
    };
    await expect(walk()).rejects.toThrow("no more");
  });

  test("an early return waits for running loads, starts no other, and closes the source", async () => {
    let started = 0;
    let ended = 0;
    let closed = false;
    let told = false;
    function* items() {
      try {
        yield* numbers(100);
      } finally {
        closed = true;
      }
    }
    const load = async (n: number, signal: AbortSignal) => {
      started++;
      signal.addEventListener("abort", () => {
        told = true;
      });
      await sleep(n === 0 ? 1 : 10);
      ended++;
      return Promise.reject(new Error("nobody is listening any more"));
    };
    for await (const _ of prefetch(items(), load, { ahead: 8, concurrency: 2 })) break;
    expect([closed, told]).toEqual([true, true]);
    expect(ended).toBe(started);
    const before = started;
    await sleep(15);
    expect(started).toBe(before);
    expect(before).toBeLessThan(5);
  });

  test("an abort is thrown at once, while waiting and between requests", async () => {
    const waiting = new AbortController();
    const slow = prefetch([1], (_, signal) => sleep(60_000, 0, { signal }), { signal: waiting.signal });
    setTimeout(() => waiting.abort(new Error("stop")), 5);
    await expect(slow.next()).rejects.toThrow("stop");

    const between = new AbortController();
    const steps = prefetch(numbers(9), (n) => n, { signal: between.signal });
    expect((await steps.next()).done).toBe(false);
    between.abort(new Error("stop"));
    await sleep(1);
    await expect(steps.next()).rejects.toThrow("stop");
    await expect(prefetch([1], (n) => n, { signal: AbortSignal.abort(new Error("stop")) }).next()).rejects.toThrow(
      "stop",
    );
  });

  test("an empty list ends, a failing source throws, wrong options are refused", async () => {
    expect((await prefetch([], () => 1).next()).done).toBe(true);
    function* failing(): Generator<number> {
      yield 1;
      throw new Error("source");
    }
    await expect(prefetch(failing(), (n) => n).next()).rejects.toThrow("source");
    await expect(prefetch([1], (n) => n, { ahead: 0 }).next()).rejects.toThrow("ahead, got 0");
    await expect(prefetch([1], (n) => n, { concurrency: 1.5 }).next()).rejects.toThrow("concurrency, got 1.5");
  });
});
