/** One of the ranks of ranks.test.ts. Argument: "die" for the last one to be killed. */
import { writeSync } from "node:fs";
import { MpiRanks } from "../../../engine/ranks/mpi.ts";
import { gatherJson, meet, RankError } from "../../../engine/ranks/ranks.ts";

async function start(): Promise<MpiRanks> {
  try {
    return await MpiRanks.start({ patient: true });
  } catch (error) {
    if (!(error instanceof RankError)) throw error;
    console.error(`${error.message}\n${error.advice}`);
    process.exit(3);
  }
}

const ranks = await start();
const expect = (holds: boolean, what: string) => {
  if (!holds) throw new Error(`rank ${ranks.rank}: ${what}`);
};

if (process.argv[2] === "die") {
  ranks.onLost = (lost) => {
    writeSync(1, `${lost.message}\n`);
    process.exit(1);
  };
  await meet(ranks);
  if (ranks.rank === ranks.size - 1) process.kill(process.pid, "SIGKILL");
  await meet(ranks);
}

/** Of a rank: numbers whose sum depends on the order. */
const numbersOf = (rank: number, length: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(i * (rank + 1)) * 10 ** (i % 7));

for (const patient of [true, false]) {
  ranks.patient = patient;
  // Of few bytes, and of so many that each rank makes a part.
  for (const length of [1, 10, 100_003]) {
    const expected = numbersOf(0, length);
    for (let rank = 1; rank < ranks.size; rank++)
      numbersOf(rank, length).forEach((number, i) => {
        expected[i] = expected[i]! + number;
      });
    const sum = numbersOf(ranks.rank, length);
    await ranks.sum(sum);
    expect(Buffer.compare(Buffer.from(sum.buffer), Buffer.from(expected.buffer)) === 0, `sums of ${length}`);
  }
  // Calls that are not waited for follow one another.
  const own = new TextEncoder().encode("x".repeat(3 * ranks.rank));
  const [first, second] = await Promise.all([ranks.gather(own), gatherJson(ranks, { rank: ranks.rank })]);
  expect(first.map((part) => part.length).join() === "0,3,6", "lengths");
  expect(second.map(({ rank }) => rank).join() === "0,1,2", "values");
}
expect(ranks.local.size === 3 && ranks.local.rank === ranks.rank, "places");
await ranks[Symbol.asyncDispose]();
console.log(`${ranks.rank} done`);
