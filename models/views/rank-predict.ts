import type { Device } from "../../engine/device/device.ts";
import { evenParts, gatherJson, type Ranks } from "../../engine/ranks/ranks.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { Outcome } from "./view-batches.ts";

/** The rows of which this process makes what all ranks need. */
export function ownPart<Row>(rows: readonly Row[], ranks: Ranks): readonly Row[] {
  const bounds = evenParts(rows.length, ranks.size);
  return rows.slice(bounds[ranks.rank]!, bounds[ranks.rank + 1]!);
}

/**
 * What came of all rows, in their order, where each rank has the outcomes of {@link ownPart}.
 * @param length numbers of a value
 */
export async function outcomesOfAll<Row>(
  rows: readonly Row[],
  own: readonly Outcome<Row, Float32Array>[],
  length: number,
  ranks: Ranks,
): Promise<Outcome<Row, Float32Array>[]> {
  const errors = own.map((outcome) => ("error" in outcome ? messageOf(outcome.error) : null));
  const all = (await gatherJson(ranks, errors)).flat();
  const values = new Float32Array(length * errors.filter((error) => error === null).length);
  let at = 0;
  for (const outcome of own) {
    if ("error" in outcome) continue;
    values.set(outcome.value, at);
    at += length;
  }
  const parts = await ranks.gather(new Uint8Array(values.buffer));
  const numbers = parts.flatMap((part) => {
    const floats = new Float32Array(part.buffer);
    return Array.from({ length: floats.length / length }, (_, i) => floats.slice(i * length, (i + 1) * length));
  });
  let next = 0;
  return rows.map((row, i) => {
    const error = all[i];
    return error === null ? { row, value: numbers[next++]! } : { row, error: new Error(error) };
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Rows of numbers of all ranks on this device, where each made those of {@link ownPart}: [N, length], with the rows that they are of.
 * @param own of this rank, [n, length], which ends; undefined for no row @param kept rows that it is of, by their place in `ownPart`
 */
export async function numbersOfAll<Row>(
  device: Device,
  rows: readonly Row[],
  own: Tensor | undefined,
  kept: readonly number[],
  ranks: Ranks,
): Promise<{ numbers: Tensor; rows: Row[] }> {
  const host = own ? await own.read() : new Float32Array();
  const length = own ? own.size / own.shape[0]! : 0;
  own?.dispose();
  const said = await gatherJson(ranks, { kept, length });
  const parts = await ranks.gather(
    new Uint8Array(host.buffer),
    said.map((each) => 4 * each.kept.length * each.length),
  );
  const bounds = evenParts(rows.length, ranks.size);
  const all = said.flatMap(({ kept }, rank) => kept.map((place) => rows[bounds[rank]! + place]!));
  const columns = Math.max(...said.map((each) => each.length));
  const numbers = new Float32Array(all.length * columns);
  let at = 0;
  for (const part of parts) {
    numbers.set(new Float32Array(part.buffer), at);
    at += part.byteLength / 4;
  }
  return {
    numbers: device.owned("graph", () => Tensor.from(device, numbers, [all.length, columns])).keep(),
    rows: all,
  };
}
