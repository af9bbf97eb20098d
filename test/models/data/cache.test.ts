import { expect, test } from "bun:test";
import { setTimeout } from "node:timers/promises";
import { PictureCache } from "../../../models/data/cache.ts";

const picture = (side: number) => ({ width: side, height: side, pixels: new Uint8Array(side * side * 3) });

test("keeps what was used last, within its bytes", async () => {
  const cache = new PictureCache(700);
  let loads = 0;
  const get = (key: string, side = 10) =>
    cache.get(key, async () => {
      loads++;
      return picture(side);
    });
  const first = await get("a");
  await get("b");
  expect(await get("a")).toBe(first);
  await get("c"); // b goes
  await get("a");
  expect(loads).toBe(3);
  await get("b");
  expect(loads).toBe(4);
  expect(cache.usage).toEqual({ entries: 2, usedBytes: 600, maxBytes: 700, hits: 2, misses: 4 });
  await get("huge", 100);
  expect(cache.usage).toMatchObject({ entries: 2, usedBytes: 600 });
  cache.clear();
  expect(cache.usage).toMatchObject({ entries: 0, usedBytes: 0 });
});

test("shares a running load and forgets a failed one", async () => {
  const cache = new PictureCache(1e6);
  let loads = 0;
  const load = async () => {
    loads++;
    return picture(4);
  };
  const [one, two] = await Promise.all([cache.get("a", load), cache.get("a", load)]);
  expect(one).toBe(two);
  expect(loads).toBe(1);
  const fail = () => Promise.reject(new Error("broken"));
  await expect(cache.get("b", fail)).rejects.toThrow("broken");
  await setTimeout(0);
  expect((await cache.get("b", load)).width).toBe(4);
  expect(() => new PictureCache(-1)).toThrow("got -1");
});
