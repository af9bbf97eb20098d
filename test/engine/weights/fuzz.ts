import { writeFile } from "node:fs/promises";
import { Random } from "../../../engine/random.ts";
import { toFloat32, WeightsError, type WeightsFile } from "../../../engine/weights/stored.ts";
import { countAllocations } from "./allocations.ts";

/** Changes a copy of some bytes; `others` are there to take pieces from. */
export type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const hugeNumbers = [2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n];

const join = (...pieces: Uint8Array[]) => new Uint8Array(Buffer.concat(pieces));
/** A position in the first or last bytes half of the time: formats keep there what describes the rest. */
function position(random: Random, length: number): number {
  const near = random.integer(Math.min(length, 512) + 1);
  return [near, length - near, random.integer(length + 1), random.integer(length + 1)][random.integer(4)]!;
}
/** Bytes `at` to `at + piece.length` replaced, as far as there are any. */
function overwrite(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const out = bytes.slice();
  out.set(piece.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
  return out;
}
function anyBytes(random: Random, most: number): Uint8Array {
  return Uint8Array.from({ length: 1 + random.integer(most) }, () => random.integer(256));
}

/** Damage that any file can take. */
export const mutations: Readonly<Record<string, Mutation>> = {
  flip(bytes, random) {
    const out = bytes.slice();
    for (let change = random.integer(4); change >= 0; change--) {
      const at = Math.min(position(random, out.length), out.length - 1);
      out[at] = out[at]! ^ (1 << random.integer(8));
    }
    return out;
  },
  replace: (bytes, random) => overwrite(bytes, position(random, bytes.length), anyBytes(random, 8)),
  digit: (bytes, random) => overwrite(bytes, position(random, bytes.length), Uint8Array.of(0x30 + random.integer(10))),
  truncate: (bytes, random) => bytes.slice(0, position(random, bytes.length)),
  insert(bytes, random) {
    const at = position(random, bytes.length);
    return join(bytes.subarray(0, at), anyBytes(random, 64), bytes.subarray(at));
  },
  remove(bytes, random) {
    const at = position(random, bytes.length);
    return join(bytes.subarray(0, at), bytes.subarray(at + 1 + random.integer(64)));
  },
  huge(bytes, random) {
    const number = new Uint8Array(8);
    new DataView(number.buffer).setBigUint64(0, hugeNumbers[random.integer(hugeNumbers.length)]!, true);
    return overwrite(bytes, position(random, bytes.length), number.subarray(0, [2, 4, 8][random.integer(3)]!));
  },
  splice(bytes, random, others) {
    const from = others[random.integer(others.length)]!;
    const start = random.integer(from.length);
    const piece = from.subarray(start, start + 1 + random.integer(256));
    const at = position(random, bytes.length);
    return random.integer(2) ? overwrite(bytes, at, piece) : join(bytes.subarray(0, at), piece, bytes.subarray(at));
  },
};

/** How long one file may take: thousands of times what it needs, so that only a hang or a blow-up reaches it. */
const MOST_MS = 5_000;

export interface FuzzOptions {
  readonly label: string;
  /** Valid files, or what `build` makes files of. */
  readonly seeds: readonly Uint8Array[];
  /** For each seed and mutation. */
  readonly rounds: number;
  readonly mutations: Readonly<Record<string, Mutation>>;
  /** What the mutated bytes of seed `index` become; the bytes themselves unless given. */
  readonly build?: (mutated: Uint8Array, index: number) => Uint8Array;
  readonly open: (path: string) => Promise<WeightsFile>;
  /** A file that is written again and again. */
  readonly path: string;
  /** The largest buffer that may be made: this many times the bytes of the file, and `allowance` bytes more. */
  readonly expansion: number;
  /** 1 KiB unless given. */
  readonly allowance?: number;
}

/**
 * Opens mutated files and reads all their tensors. Each must be read or refused with a WeightsError, soon, and without
 * a buffer much larger than the file.
 * @throws Error with everything needed to repeat the round where one is not
 */
export async function fuzz(options: FuzzOptions): Promise<{ read: number; refused: number }> {
  const { label, seeds, rounds, build = (bytes) => bytes, open, path, expansion, allowance = 1024 } = options;
  const counts = { read: 0, refused: 0 };
  for (const [index, seed] of seeds.entries()) {
    for (const [name, mutate] of Object.entries(options.mutations)) {
      for (let round = 0; round < rounds; round++) {
        const random = new Random(round, `${label} ${index} ${name}`);
        let bytes = mutate(seed, random, seeds);
        if (random.integer(4) === 0) bytes = mutations["flip"]!(bytes.length > 0 ? bytes : seed, random, seeds);
        bytes = build(bytes, index);
        await writeFile(path, bytes);
        const start = performance.now();
        let failure: unknown;
        const { largest } = await countAllocations(async () => {
          try {
            await using file = await open(path);
            for (const tensor of file.tensors.keys()) toFloat32(await file.read(tensor));
          } catch (error) {
            failure = error;
          }
        });
        const ms = performance.now() - start;
        const where = `${label}, seed ${index}, ${name}, round ${round}`;
        if (failure && !(failure instanceof WeightsError)) throw new Error(`${where}: ${failure}`, { cause: failure });
        if (ms > MOST_MS) throw new Error(`${where} took ${ms} ms`);
        if (largest > allowance + expansion * bytes.length) {
          throw new Error(`${where}: a buffer of ${largest} bytes for a file of ${bytes.length}`);
        }
        counts[failure ? "refused" : "read"]++;
      }
    }
  }
  return counts;
}
