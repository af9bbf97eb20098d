import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDevice } from "../../../engine/device/open.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { restoreChoices, storeChoices, tuneAndStore } from "../../../engine/tune/choices.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-choices-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("choices outlive their process, add up, and a damaged file is told and made anew", async () => {
  using first = await openDevice();
  expect(await tuneAndStore(first, { folder })).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
  first.scope(() => matmul(Tensor.zeros(first, [16, 16]), Tensor.zeros(first, [16, 16])));
  expect(await tuneAndStore(first, { folder })).toBe(1);
  const made = [...first.tuner.choices];
  expect(made).toHaveLength(1);

  using second = await openDevice();
  expect(await restoreChoices(second, { folder })).toBe(1);
  expect([...second.tuner.choices]).toEqual(made);
  second.scope(() => matmul(Tensor.zeros(second, [16, 16]), Tensor.zeros(second, [16, 16])));
  expect(second.tuner.untried).toBe(0);

  using third = await openDevice();
  third.tuner.restore([["another", "way"]]);
  await storeChoices(third, { folder });
  using fourth = await openDevice();
  expect(await restoreChoices(fourth, { folder })).toBe(2);

  // Another adapter, here one with smaller bindings, has choices of its own.
  using plain = await openDevice({ maximumBindingBytes: 2 ** 20 });
  expect(await restoreChoices(plain, { folder })).toBe(0);

  const file = join(folder, "tuning", readdirSync(join(folder, "tuning"))[0]!);
  writeFileSync(file, "{ broken");
  const notes: string[] = [];
  expect(await restoreChoices(fourth, { folder, onNote: (note) => notes.push(note) })).toBe(0);
  expect(notes[0]).toContain(file);
  await storeChoices(fourth, { folder });
  using fifth = await openDevice();
  expect(await restoreChoices(fifth, { folder })).toBe(2);
});
