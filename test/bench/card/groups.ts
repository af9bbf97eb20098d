// `bun test/bench/card/groups.ts --images images --predictions oof.csv`: how far scores lie from the MOS for kinds of photographs, which plain figures
// of their pixels tell apart. The CSV has the columns name, score, mos; a row may stand for one of several predictions of a picture.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { srcc } from "../../../models/index.ts";

const { values } = parseArgs({ options: { images: { type: "string" }, predictions: { type: "string" } } });
if (!values.images || !values.predictions) throw new Error("give --images FOLDER --predictions FILE");

const side = 128;

/** What the pixels say of a picture: its middle grey, and mean steps between neighbours of parts of it, on [0, 255]. */
async function figuresOf(path: string) {
  const { data } = await sharp(path)
    .greyscale()
    .resize(side, side, { fit: "fill" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width = 1, height = 1 } = await sharp(path).metadata();
  const steps = (inside: (x: number, y: number) => boolean) => {
    let [sum, count] = [0, 0];
    for (let y = 1; y < side; y++)
      for (let x = 1; x < side; x++) {
        if (!inside(x / side, y / side)) continue;
        const here = data[y * side + x]!;
        sum += Math.abs(here - data[y * side + x - 1]!) + Math.abs(here - data[(y - 1) * side + x]!);
        count++;
      }
    return sum / count;
  };
  const isCentre = (x: number, y: number) => Math.abs(x - 0.5) < 0.25 && Math.abs(y - 0.5) < 0.25;
  const grey = (from: number, to: number) => {
    const part = data.subarray(from * side, to * side);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  };
  const [top, rest] = [steps((_, y) => y < 0.33), steps((_, y) => y >= 0.33)];
  return {
    brightness: grey(0, side),
    centreToBorder:
      steps(isCentre) /
      Math.max(
        1e-3,
        steps((x, y) => !isCentre(x, y)),
      ),
    isFlatAbove: grey(0, side / 3) > 110 && top < 0.35 * rest,
    aspect: width / height,
    pixels: width * height,
  };
}

type Figures = Awaited<ReturnType<typeof figuresOf>>;

const groups: readonly (readonly [string, (figures: Figures) => boolean])[] = [
  ["all", () => true],
  ["dark: mean grey below 60 of 255", ({ brightness }) => brightness < 60],
  ["bright: mean grey above 160", ({ brightness }) => brightness > 160],
  ["plain border, detail in the middle (more than twice the steps)", ({ centreToBorder }) => centreToBorder > 2],
  ["plain bright top third (sky)", ({ isFlatAbove }) => isFlatAbove],
  ["landscape", ({ aspect }) => aspect > 1.05],
  ["portrait", ({ aspect }) => aspect < 0.95],
  ["square", ({ aspect }) => aspect >= 0.95 && aspect <= 1.05],
  ["above 0.4 million pixels", ({ pixels }) => pixels > 4e5],
];

const rows = (parse(await readFile(values.predictions, "utf8"), { columns: true }) as Record<string, string>[]).map(
  ({ name, score, mos }) => ({ name: name!, score: Number(score), mos: Number(mos) }),
);
const figures = new Map<string, Figures>();
for (const { name } of rows) if (!figures.has(name)) figures.set(name, await figuresOf(join(values.images, name)));

console.log(
  "| photographs | n | mean MOS | score less MOS, mean (95 % of means) | MAE | SRCC |\n| --- | --- | --- | --- | --- | --- |",
);
for (const [title, holds] of groups) {
  const own = rows.filter(({ name }) => holds(figures.get(name)!));
  const pictures = new Set(own.map(({ name }) => name)).size;
  if (pictures < 10) {
    console.log(`| ${title} | ${pictures} | too few | | | |`);
    continue;
  }
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value / list.length, 0);
  const errors = own.map(({ score, mos }) => score - mos);
  const bias = mean(errors);
  // Predictions of one picture are no further evidence: the error of the mean is that of so many pictures.
  const error = 1.96 * Math.sqrt(mean(errors.map((e) => (e - bias) ** 2)) / pictures);
  const [scores, truth] = [own.map(({ score }) => score), own.map(({ mos }) => mos)];
  const cells = [
    ...[
      title,
      pictures,
      mean(truth).toFixed(1),
      `${bias.toFixed(1)} (${(bias - error).toFixed(1)} to ${(bias + error).toFixed(1)})`,
    ],
    ...[mean(errors.map(Math.abs)).toFixed(1), srcc(scores, truth).toFixed(3)],
  ];
  console.log(`| ${cells.join(" | ")} |`);
}
