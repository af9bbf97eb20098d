import { expect, test } from "bun:test";
import { FairQueue } from "../../../models/data/fair-queue.ts";

function drained(queue: FairQueue<string>): string[] {
  const items: string[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item);
  return items;
}

test("one client's work keeps its order", () => {
  const queue = new FairQueue<string>();
  for (const item of ["a", "b", "c"]) queue.push("one", 5, item);
  expect(drained(queue)).toEqual(["a", "b", "c"]);
});

test("a client who asks for little does not wait for all of one who asks for much", () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 100; i++) queue.push("greedy", 1, `g${i}`);
  expect(queue.shift()).toBe("g0");
  queue.push("modest", 1, "m");
  expect([queue.shift(), queue.shift()]).toContain("m");
});

test("shares are of the cost, not of the count", () => {
  const queue = new FairQueue<string>();
  for (let i = 0; i < 50; i++) {
    queue.push("dear", 10, "d");
    queue.push("cheap", 1, "c");
  }
  const first = Array.from({ length: 33 }, () => queue.shift());
  expect(first.filter((item) => item === "d").length).toBeWithin(3, 5);
});

test("who was idle gains nothing by it", () => {
  const queue = new FairQueue<string>();
  queue.push("idle", 1, "i");
  queue.shift();
  for (let i = 0; i < 20; i++) queue.push("busy", 1, "b");
  for (let i = 0; i < 10; i++) queue.shift();
  for (let i = 0; i < 20; i++) queue.push("idle", 1, "i");
  const next = Array.from({ length: 10 }, () => queue.shift());
  expect(next.filter((item) => item === "i").length).toBeWithin(4, 7);
});

test("a charge counts as if it had been asked for", () => {
  const queue = new FairQueue<string>();
  queue.push("a", 1, "a1");
  queue.push("b", 1, "b1");
  queue.shift();
  queue.charge("a", 100);
  for (let i = 0; i < 5; i++) {
    queue.push("a", 1, "a");
    queue.push("b", 1, "b");
  }
  expect(drained(queue)).toEqual(["b1", "b", "b", "b", "b", "b", "a", "a", "a", "a", "a"]);
});

test("what is removed does not come, and is not counted", () => {
  const queue = new FairQueue<string>();
  queue.push("a", 1, "x");
  queue.push("a", 1, "y");
  expect(queue.remove("x")).toBe(true);
  expect(queue.remove("x")).toBe(false);
  expect(queue.length).toBe(1);
  expect(drained(queue)).toEqual(["y"]);
});
