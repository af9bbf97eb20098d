/**
 * Measures `cull` on a made library: bun test/bench/cull-library.ts --pictures 5000 [--model fast] [--seed 90001] [--folder DIR]
 *
 * Without --model pictures are compared by sharpness and exposure alone, as with `acutance cull --no-score`. What it prints stands in models/culling/README.md.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cullPictures, type SeenPicture } from "../../models/culling/index.ts";
import { scoresOf, seeMany } from "../../models/culling/see-many.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { judge } from "../models/culling/judged.ts";
import { type MadeLibrary, makeLibrary } from "../models/culling/made-library.ts";

const { values } = parseArgs({
  options: {
    pictures: { type: "string", default: "5000" },
    model: { type: "string" },
    seed: { type: "string", default: "90001" },
    folder: { type: "string" },
  },
});
const count = Number(values.pictures);
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), "acutance-cull-library-")));
const { pictures } = await library();
const seconds = (start: number) => `${((performance.now() - start) / 1000).toFixed(1)} s`;
const share = (part: number, whole: number) =>
  `${part} of ${whole} (${((100 * part) / Math.max(1, whole)).toFixed(2)} %)`;

await using scorer = values.model === undefined ? undefined : await openScorer({ model: values.model, reasons: true });
const seen: SeenPicture[] = [];
const looking = performance.now();
let peak = 0;
let peakAt1000 = 0;
await seeMany(
  pictures.map(({ name }) => join(folder, name)),
  {
    ...(scorer && { score: scoresOf(scorer), ahead: scorer.ahead }),
    onResult({ index, ...result }) {
      if ("error" in result) throw result.error;
      seen[index] = result;
      peak = Math.max(peak, process.memoryUsage.rss());
      if (index < 1000) peakAt1000 = peak;
    },
  },
);
console.log(`${count} pictures, ${scorer ? scorer.name : "no model"}, seed ${values.seed}`);
console.log(`looking: ${seconds(looking)}`);
const grouping = performance.now();
const decisions = cullPictures(seen);
console.log(`grouping and ranking: ${seconds(grouping)}`);
const judged = judge(pictures, decisions);
console.log(`best of the burst found: ${share(judged.bestFound, judged.bursts)}`);
console.log(`groups with several moments: ${share(judged.mixedGroups, judged.groups)}`);
console.log(`pairs falsely together: ${share(judged.falsePairs, judged.joinedPairs)}`);
console.log(`pairs not together: ${share(judged.missedPairs, judged.truePairs)}`);
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
console.log(`peak memory: ${mebibytes(peakAt1000)} at 1000 pictures, ${mebibytes(peak)} at ${count}`);
if (values.folder === undefined) await rm(folder, { recursive: true });

/** Made where it is not there. */
async function library(): Promise<MadeLibrary> {
  const known = join(folder, "truth.json");
  if (existsSync(known)) {
    const { pictures } = JSON.parse(await readFile(known, "utf8")) as MadeLibrary;
    return { pictures: pictures.slice(0, count) };
  }
  const start = performance.now();
  const made = await makeLibrary(folder, count, Number(values.seed));
  console.log(`making the library: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return made;
}
