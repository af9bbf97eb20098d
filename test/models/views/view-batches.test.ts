import { expect, test } from "bun:test";
import { type Shown, throughBatches } from "../../../models/views/view-batches.ts";

/** Pictures by the number of their views; 0 stands for a broken one. */
function setup(counts: readonly number[], most: number, log: string[] = []) {
  let held = 0;
  async function* pictures(): AsyncGenerator<Shown<number, number>> {
    for (const [row, count] of counts.entries()) {
      if (count === 0) yield { row, error: new Error(`picture ${row}`) };
      else {
        const view = (i: number) => ({
          item: () => {
            held++;
            return 10 * row + i;
          },
          end: () => held--,
        });
        yield { row, views: Array.from({ length: count }, (_, i) => view(i)) };
      }
    }
  }
  const run = async (items: readonly number[]) => {
    log.push(items.join(" "));
    await new Promise((resolve) => setTimeout(resolve, items.length % 3));
    return Float32Array.from(items.flatMap((item) => [item, -item]));
  };
  return { walk: throughBatches(pictures(), { most, length: 2, run }), held: () => held };
}

const told = (outcome: { row: number } & ({ value: Float32Array[] } | { error: unknown })) =>
  "error" in outcome ? `${outcome.row} failed` : `${outcome.row}: ${outcome.value.map((numbers) => numbers.join("/"))}`;

test.each([1, 2, 3, 4, 100])("pictures come in order with what came of their views, in batches of %d", async (most) => {
  const counts = [1, 3, 0, 2, 5, 1, 0];
  const log: string[] = [];
  const { walk, held } = setup(counts, most, log);
  const found: string[] = [];
  for await (const outcome of walk) found.push(told(outcome));
  expect(found).toEqual(
    counts.map((count, row) =>
      count === 0
        ? `${row} failed`
        : `${row}: ${Array.from({ length: count }, (_, i) => `${10 * row + i}/${-(10 * row + i)}`).join(",")}`.replaceAll(
            "/0",
            "/0",
          ),
    ),
  );
  // All but the last batch are full.
  const sizes = log.map((items) => items.split(" ").length);
  expect(sizes.slice(0, -1).every((size) => size === most)).toBe(true);
  expect(sizes.reduce((a, b) => a + b)).toBe(12);
  expect(held()).toBe(0);
});

test("a walk that ends early lets go of what it holds", async () => {
  const { walk, held } = setup([2, 2, 2, 2, 2, 2], 3);
  for await (const { row } of walk) if (row === 1) break;
  expect(held()).toBe(0);
});

test("a batch that fails ends the walk with its error", async () => {
  async function* pictures() {
    for (let row = 0; row < 9; row++) yield { row, views: [{ item: () => row }] };
  }
  let runs = 0;
  const run = async () => {
    if (++runs === 2) throw new Error("lost");
    return new Float32Array(2);
  };
  const seen: number[] = [];
  const walk = async () => {
    for await (const { row } of throughBatches(pictures(), { most: 2, length: 1, run })) seen.push(row);
  };
  await expect(walk()).rejects.toThrow("lost");
  expect(seen).toEqual([0, 1]);
});
