// `bun test/bench/card/scenes.ts --images images --csv livec.csv --name file --out scenes.csv`: the CSV with a further column `scene`, the same for
// pictures that show one scene. Two do when the class tokens of the default model's last block, less their mean, have a cosine above 0.8, or
// both do with a third.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { openScorer } from "../../../models/index.ts";

const { values } = parseArgs({
  options: {
    images: { type: "string" },
    csv: { type: "string" },
    name: { type: "string", default: "file" },
    out: { type: "string" },
  },
});
const { images, csv, name, out } = values;
if (!images || !csv || !out) throw new Error("give --images FOLDER --csv FILE --out FILE");

const rows = parse(await readFile(csv, "utf8"), { columns: true }) as Record<string, string>[];
await using scorer = await openScorer({ features: true });
const tokens: number[][] = [];
for await (const scored of scorer.scoreMany(rows.map((row) => join(images, row[name]!)))) {
  if (!("feature" in scored) || !scored.feature) throw new Error(`${scored.picture} cannot be read`);
  // Class token, mean and deviation of each depth, the last at the end.
  const width = 192;
  tokens.push([...scored.feature.slice(-3 * width, -2 * width)]);
}
const mean = tokens[0]!.map((_, j) => tokens.reduce((sum, token) => sum + token[j]! / tokens.length, 0));
const directions = tokens.map((token) => {
  const centred = token.map((value, j) => value - mean[j]!);
  const length = Math.hypot(...centred);
  return centred.map((value) => value / length);
});

const first = rows.map((_, i) => i);
const rootOf = (i: number): number => {
  while (first[i] !== i) i = first[i]!;
  return i;
};
for (let i = 0; i < rows.length; i++)
  for (let j = 0; j < i; j++) {
    const cosine = directions[i]!.reduce((sum, value, k) => sum + value * directions[j]![k]!, 0);
    if (cosine > 0.8) first[rootOf(i)] = rootOf(j);
  }
await writeFile(
  out,
  stringify(
    rows.map((row, i) => ({ ...row, scene: `scene-${rootOf(i) + 1}` })),
    { header: true },
  ),
);
console.log(`${rows.length} pictures of ${new Set(first.map((_, i) => rootOf(i))).size} scenes`);
