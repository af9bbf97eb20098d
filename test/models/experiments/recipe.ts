import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { checkRecipe, type Recipe } from "../../../models/experiments/index.ts";
import { blurredPictures, small as smaller } from "../training/pictures.ts";

/** Settings of a network that trains in a moment. */
export const small = {
  ...smaller,
  stageOneEpochs: 3,
  stageTwoEpochs: 2,
  stageOneBatch: 4,
  labelledBatch: 2,
  unlabelledBatch: 6,
  neighbours: 4,
};

/** Writes blurred pictures and `scores.csv` into a folder; gives a source of a recipe. */
export async function writePictures(folder: string, count: number, range: [number, number] = [0, 100]) {
  const rows = await blurredPictures(folder, count);
  const scaled = (mos: number) => range[0] + ((range[1] - range[0]) * mos) / 100;
  const lines = rows.map(
    ({ name, mos }, i) => `${name},${scaled(mos)},${i % 5 === 0 ? "test" : "training"},${i >> 2},9`,
  );
  await writeFile(join(folder, "scores.csv"), `name,mos,set,scene,sd\n${lines.join("\n")}\n`);
  return { folder, csv: join(folder, "scores.csv"), range };
}

/** A recipe from what differs, checked as one from a file is. */
export function recipeOf(said: Record<string, unknown>, name = "test"): Recipe {
  return { ...checkRecipe({ title: "A test", ...said }, name), name };
}
