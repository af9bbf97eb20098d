import { hostname } from "node:os";
import { setImmediate, setTimeout } from "node:timers/promises";
import { launchedRank } from "./launch.ts";
import { type MpiLibrary, openMpiLibrary } from "./mpi-library.ts";
import { addInOrder, evenParts, gatherJson, meet, RankError, type Ranks } from "./ranks.ts";

/** MPI calls come from one thread at a time, not always the same. */
const serialised = 2;

/** Sums of fewer bytes are made everywhere of what all ranks gave; of more, each rank makes a part. */
const smallBytes = 16 * 1024;

/** How often it is looked whether other ranks of this computer live. */
const watchMs = 200;

/** A rank, as messages name it. */
export interface RankPlace {
  readonly host: string;
  readonly pid: number;
}

export interface MpiOptions {
  /**
   * Whether to wait by looking again every millisecond, which leaves the processor to others, as a software adapter needs it; else a thread
   * waits busily, and an exchange takes some 50 µs. Other bits are not made.
   * @default false
   */
  readonly patient?: boolean;
}

/** Ranks by the MPI library that is installed: Open MPI or MPICH, called through koffi. */
export class MpiRanks implements Ranks, AsyncDisposable {
  readonly rank: number;
  readonly size: number;
  readonly local: Ranks["local"];
  /** As the library calls itself. */
  readonly version: string;
  /** All ranks, by rank. */
  readonly places: readonly RankPlace[];
  patient: boolean;
  /** Calls of MPI so far, bytes that this rank gave in them, and milliseconds until they ended. */
  readonly use = { calls: 0, bytes: 0, ms: 0 };
  /** Told at once, and once, when a rank of this computer has died; whatever waits for it fails, too. */
  onLost: ((lost: RankError) => void) | undefined;
  readonly #library: MpiLibrary;
  /** A rank of this computer that has died. */
  #lost: RankError | undefined;
  /** Ends the wait in progress because of that. */
  #onLoss: ((lost: RankError) => void) | undefined;
  readonly #watch: NodeJS.Timeout;
  /** What MPI reads and writes while a call is under way; grows. */
  #out = new ArrayBuffer(4096);
  #in = new ArrayBuffer(4096);
  readonly #request = new ArrayBuffer(4096);
  /** What MPI says of a call that ended; nobody reads it. */
  readonly #status = new ArrayBuffer(4096);
  readonly #flag = new Int32Array(new ArrayBuffer(4096));
  readonly #lists: readonly Int32Array[];
  /** Calls follow one another. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    library: MpiLibrary,
    { rank, size }: Pick<Ranks, "rank" | "size">,
    places: readonly RankPlace[],
    patient: boolean,
  ) {
    this.#library = library;
    this.rank = rank;
    this.size = size;
    this.version = library.version;
    this.places = places;
    this.patient = patient;
    this.#lists = Array.from({ length: 4 }, () => new Int32Array(new ArrayBuffer(Math.max(4096, 4 * size))));
    const here = [...places.keys()].filter((other) => places[other]!.host === places[rank]!.host);
    this.local = { rank: here.indexOf(rank), size: here.length };
    this.#watch = setInterval(() => {
      const [dead] = this.dead();
      if (dead === undefined) return;
      const lost = new RankError(`${this.name(dead)} has died`);
      if (!this.#lost) this.onLost?.(lost);
      this.#lost = lost;
      this.#onLoss?.(lost);
    }, watchMs);
    this.#watch.unref();
  }

  /**
   * Joins the ranks that `mpirun` started; MPI can be started once in a process.
   * @throws RankError when there is no MPI library, or it does not start
   */
  static async start({ patient = false }: MpiOptions = {}): Promise<MpiRanks> {
    const library = await openMpiLibrary();
    const { call, world } = library;
    const number = () => new Int32Array(new ArrayBuffer(64));
    const [level, rank, size] = [number(), number(), number()];
    if (call.MPI_Init_thread(null, null, serialised, level) !== 0)
      throw new RankError(`${library.version} did not start`);
    if (level[0]! < serialised)
      throw new RankError(
        `${library.version} takes calls from one thread alone (MPI_THREAD_SERIALIZED is missing)`,
        "install a build with thread support",
      );
    call.MPI_Comm_set_errhandler(world, library.errorsReturn);
    call.MPI_Comm_rank(world, rank);
    call.MPI_Comm_size(world, size);
    const launched = launchedRank();
    if (launched && launched.size > 1 && size[0] === 1)
      throw new RankError(
        `${launched.size} ranks were started by the launcher of another MPI than ${library.version.split(",")[0]}, which sees one`,
        "start them by the mpirun of that library, or name the other's file by ACUTANCE_MPI_LIBRARY",
      );
    const own = { rank: rank[0]!, size: size[0]! };
    const place = { host: hostname(), pid: process.pid };
    const first = new MpiRanks(
      library,
      own,
      Array.from({ length: own.size }, () => place),
      patient,
    );
    clearInterval(first.#watch);
    const places = own.size > 1 ? await gatherJson<RankPlace>(first, place) : [place];
    return new MpiRanks(library, own, places, patient);
  }

  /** A rank in words. */
  name(rank: number): string {
    const { host, pid } = this.places[rank]!;
    return `rank ${rank} of ${this.size} (process ${pid} on ${host})`;
  }

  /** Ranks of this computer that live no more. */
  dead(): number[] {
    if (this.#closed) return [];
    const here = this.places[this.rank]!.host;
    return [...this.places.keys()].filter(
      (other) => other !== this.rank && this.places[other]!.host === here && !lives(this.places[other]!.pid),
    );
  }

  async gather(own: Uint8Array, lengths?: readonly number[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const counts = lengths ?? (await this.#lengths(own.byteLength));
    if (counts[this.rank] !== own.byteLength)
      throw new RankError(`rank ${this.rank} has ${own.byteLength} bytes where ${counts[this.rank]} were agreed`);
    return this.#inTurn(async () => {
      const total = this.#spread(counts, 0);
      this.#grow(own.byteLength, total);
      new Uint8Array(this.#out).set(own);
      const { call, byte, world } = this.#library;
      const [count, start] = this.#lists;
      const began = call.MPI_Iallgatherv(
        ...([this.#out, own.byteLength, byte, this.#in, count, start, byte, world, this.#request] as const),
      );
      await this.#ended(began, own.byteLength);
      const all = new Uint8Array(this.#in);
      return counts.map((length, r) => all.slice(start![r]!, start![r]! + length));
    });
  }

  async sum(numbers: Float32Array<ArrayBuffer>): Promise<void> {
    if (this.size === 1) return;
    if (numbers.byteLength <= smallBytes) {
      const own = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      const all = await this.gather(
        own,
        Array.from({ length: this.size }, () => own.byteLength),
      );
      addInOrder(
        all.map((part) => new Float32Array(part.buffer)),
        numbers,
      );
      return;
    }
    const bounds = evenParts(numbers.length, this.size);
    const part = await this.#slices(numbers, bounds);
    const lengths = bounds.slice(1).map((end, r) => 4 * (end - bounds[r]!));
    const sums = await this.gather(new Uint8Array(part.buffer), lengths);
    sums.forEach((sum, r) => {
      numbers.set(new Float32Array(sum.buffer), bounds[r]!);
    });
  }

  /** Each rank's numbers of this rank's part, added up. */
  #slices(numbers: Float32Array<ArrayBuffer>, bounds: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    return this.#inTurn(async () => {
      const { call, byte, world } = this.#library;
      const length = bounds[this.rank + 1]! - bounds[this.rank]!;
      this.#grow(numbers.byteLength, 4 * length * this.size);
      new Float32Array(this.#out).set(numbers);
      this.#spread(
        bounds.slice(1).map((end, r) => 4 * (end - bounds[r]!)),
        0,
      );
      this.#spread(
        bounds.slice(1).map(() => 4 * length),
        2,
      );
      const [given, from, taken, to] = this.#lists;
      const began = call.MPI_Ialltoallv(
        ...([this.#out, given, from, byte, this.#in, taken, to, byte, world, this.#request] as const),
      );
      await this.#ended(began, numbers.byteLength);
      const parts = Array.from({ length: this.size }, (_, r) => new Float32Array(this.#in, 4 * length * r, length));
      const total = new Float32Array(length);
      addInOrder(parts, total);
      return total;
    });
  }

  /** Bytes that each rank is going to give. */
  async #lengths(own: number): Promise<number[]> {
    const parts = await this.gather(
      new Uint8Array(Int32Array.of(own).buffer),
      Array.from({ length: this.size }, () => 4),
    );
    return parts.map((part) => new Int32Array(part.buffer)[0]!);
  }

  /** Puts lengths and where they start into two lists; returns their sum. */
  #spread(lengths: readonly number[], list: number): number {
    let end = 0;
    lengths.forEach((length, r) => {
      this.#lists[list]![r] = length;
      this.#lists[list + 1]![r] = end;
      end += length;
    });
    if (end >= 2 ** 31) throw new RankError(`${end} bytes cannot be exchanged at once; give smaller batches`);
    return end;
  }

  #grow(out: number, taken: number): void {
    if (this.#out.byteLength < out) this.#out = new ArrayBuffer(out + (-out & 4095));
    if (this.#in.byteLength < taken) this.#in = new ArrayBuffer(taken + (-taken & 4095));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #ended(began: number, bytes: number): Promise<void> {
    const start = performance.now();
    await this.#waited(began);
    this.use.calls++;
    this.use.bytes += bytes;
    this.use.ms += performance.now() - start;
  }

  async #waited(began: number): Promise<void> {
    const { call } = this.#library;
    this.#expect(began);
    if (!this.patient) {
      const code = await new Promise<number>((resolve, reject) => {
        this.#onLoss = reject;
        call.MPI_Wait.async(this.#request, this.#status, (error: Error | null, result: number) =>
          error ? reject(error) : resolve(result),
        );
      });
      this.#onLoss = undefined;
      this.#expect(code);
      return;
    }
    for (let looks = 0; ; looks++) {
      this.#expect(call.MPI_Test(this.#request, this.#flag, this.#status));
      if (this.#flag[0]) return;
      if (this.#lost) throw this.#lost;
      await (looks < 4 ? setImmediate() : setTimeout(1));
    }
  }

  #expect(code: number): void {
    if (code === 0) return;
    const [text, length] = [new ArrayBuffer(4096), new Int32Array(new ArrayBuffer(64))];
    this.#library.call.MPI_Error_string(code, text, length);
    throw new RankError(`MPI: ${Buffer.from(text, 0, length[0]!)}`);
  }

  /** Ends all ranks at once, this one too. */
  abort(exitCode = 1): void {
    this.#end();
    this.#library.call.MPI_Abort(this.#library.world, exitCode);
  }

  /** Leaves when all ranks leave. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    if (this.size > 1) await meet(this);
    this.#end();
    this.#library.call.MPI_Finalize();
  }

  #end(): void {
    this.#closed = true;
    clearInterval(this.#watch);
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
