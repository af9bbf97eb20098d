import type { Device } from "../device/device.ts";
import { type Loaded, readWritten, upload } from "./buffers.ts";
import { placeOf } from "./check.ts";
import { bitsOf, type Elements } from "./inputs.ts";

/** Elements of a buffer that differ in bits between two runs. */
export interface Strays {
  readonly count: number;
  readonly elements: number;
  /** Of the first in memory order. */
  readonly first: readonly number[];
}

/** What further runs on the same inputs say of the buffers that a kernel writes, by name. */
export interface Repeats {
  /** Differs although all was the same: the result depends on the order in which invocations run. */
  readonly unsteady: Readonly<Record<string, Strays>>;
  /** Differs when results held something else before: not written, or computed from what was there. */
  readonly dependent: Readonly<Record<string, Strays>>;
}

/** Pairs of runs that a difference must outlast before it is not called chance. */
const further = 3;

/**
 * Runs a kernel twice more, once on the same and once on results with another poison, and where that makes a difference
 * some times more, since a result that depends on the order of invocations may be the same twice by chance.
 * @param after what the first run left
 * @param dispatch runs the kernel once
 */
export async function repeat(
  device: Device,
  loaded: readonly Loaded[],
  after: ReadonlyMap<string, Elements>,
  dispatch: () => Promise<unknown>,
): Promise<Repeats> {
  const runOn = async (turn: 0 | 1) => {
    upload(device, loaded, turn);
    await dispatch();
    return readWritten(device, loaded);
  };
  let unsteady = straysOf(loaded, after, await runOn(0));
  const other = await runOn(1);
  const dependent = straysOf(loaded, after, other);
  for (let i = 0; i < further && Object.keys(dependent).some((name) => !unsteady[name]); i++) {
    const again = [straysOf(loaded, after, await runOn(0)), straysOf(loaded, other, await runOn(1))];
    unsteady = Object.assign({}, ...again, unsteady);
  }
  upload(device, loaded);
  const steady = Object.entries(dependent).filter(([name]) => unsteady[name] === undefined);
  return { unsteady, dependent: Object.fromEntries(steady) };
}

function straysOf(
  loaded: readonly Loaded[],
  one: ReadonlyMap<string, Elements>,
  other: ReadonlyMap<string, Elements>,
): Record<string, Strays> {
  const strays: Record<string, Strays> = {};
  for (const { slot, shape } of loaded) {
    if (!slot.writable) continue;
    const [a, b] = [bitsOf(one.get(slot.name)!), bitsOf(other.get(slot.name)!)];
    let [count, first] = [0, -1];
    for (let i = 0; i < a.length; i++) {
      if (a[i] === b[i]) continue;
      count++;
      if (first < 0) first = i;
    }
    if (count > 0) strays[slot.name] = { count, elements: a.length, first: placeOf(first, shape) };
  }
  return strays;
}
