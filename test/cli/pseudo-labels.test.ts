import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blurredPictures } from "../models/training/pictures.ts";
import { acutanceIn } from "./acutance-in.ts";

let folder = "";
const at = (name: string) => join(folder, name);

const acutance = acutanceIn(() => folder);

const network = "--stages 1 --embedding 16 --resize 36 --crop 32 --batch 8 --epochs 1 --head classes".split(" ");
const koka = [
  "train",
  "supervised",
  "--dataset",
  "koka10k",
  "--data",
  "koniq",
  "--protocol",
  "official",
  "--ratio",
  "4:1",
  ...network,
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-pseudo-cli-"));
  // As KonIQ-10k is laid out: three pictures of each class but the last.
  const rated = await blurredPictures(at("koniq/1024x768"), 40);
  const lines = rated.map(({ name }, i) => {
    const shares = [0, 0, 0, 0, 0];
    shares[i % 4] = 1;
    return `${name},${shares},100,3,0.5,training`;
  });
  const header = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set";
  await writeFile(at("koniq/koniq10k_distributions_sets.csv"), `${[header, ...lines].join("\n")}\n`);
  // As KADIS-700k is laid out.
  const pool = await blurredPictures(at("kadis/ref_imgs"), 6, 44);
  await writeFile(
    at("kadis/kadis700k_ref_imgs.csv"),
    `ref_im,dist_type_1\n${pool.map(({ name }) => `${name},1\n`).join("")}`,
  );
  await mkdir(at("kadis/dist_imgs"));
  await copyFile(pool[0]!.path, at("kadis/dist_imgs/0_01_01.png"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("from label to train: pseudo-labels join the labelled part; copies of rated pictures do not", async () => {
  const first = acutance(...koka, "--out", "first", "--unlabelled", "kadis", "--unlabelled-set", "kadis-pristine");
  expect([first.status, first.stderr]).toEqual([
    0,
    expect.stringContaining("32 labelled, 6 unlabelled, 4 validation, 4 test"),
  ]);
  const model = ["--model", "first/model.safetensors"];
  // A copy of a test picture, and one of a labelled picture, lie in the pool under other names.
  const split = await readFile(at("first/split.csv"), "utf8");
  for (const part of ["test", "labelled"]) {
    const name = new RegExp(`^([^,]+),${part},`, "m").exec(split)![1]!;
    await copyFile(at(`koniq/1024x768/${name}`), at(`kadis/ref_imgs/copy-of-${part}.png`));
  }
  expect(acutance("label", ...model, "--data", "kadis/ref_imgs", "--out", "kadis/ref_imgs/labels.csv").status).toBe(0);
  const labels = ["--model-labels", "kadis/ref_imgs/labels.csv"];
  const second = acutance(...koka, "--out", "second", ...labels);
  expect(second.stderr).toContain("6 pseudo-labels; left out: 2 copies of rated pictures");
  expect(second.stderr).toContain("32 labelled, 6 pseudo-labelled, 0 unlabelled, 4 validation, 4 test pictures");
  expect(second.status).toBe(0);
  const record = JSON.parse(await readFile(at("second/run.json"), "utf8"));
  expect(record.parts).toMatchObject({ labelled: 32, pseudoLabelled: 6, test: 4 });
  expect(await readFile(at("second/split.csv"), "utf8")).toContain("kadis/ref_imgs/0.png,pseudo-labelled,");
  // What its own split calls labelled is rated; evaluate takes it.
  const evaluated = acutance(
    "evaluate",
    "--model",
    "second/model.safetensors",
    "--dataset",
    "koka10k",
    "--data",
    "koniq",
    "--split",
    "second/split.csv",
  );
  expect([evaluated.status, evaluated.stderr]).toEqual([0, expect.not.stringContaining("not among the rated ones")]);
  // The labels of the pool from another place, and with a picture of it rated by hand.
  const moved = acutance(...koka, "--out", "moved", ...labels, "--model-labels-folder", "koniq/1024x768");
  expect([moved.status, moved.stderr]).toEqual([1, expect.stringContaining("--model-labels-folder names another")]);
  await copyFile(at("kadis/ref_imgs/labels.csv"), at("labels.csv"));
  await writeFile(at("kadis/ref_imgs/hand.csv"), "name,mos\n0.png,4\n");
  const found = [
    "--model-labels",
    "labels.csv",
    "--model-labels-folder",
    "kadis/ref_imgs",
    "--model-labels-weight",
    "one",
  ];
  const pool = ["--unlabelled", "kadis", "--unlabelled-set", "kadis-pristine"];
  const third = acutance(...koka, "--out", "third", ...found, ...pool, "--extra-labels", "kadis/ref_imgs/hand.csv");
  expect(third.stderr).toContain("5 pseudo-labels; left out: 3 copies of rated pictures");
  expect(third.stderr).toContain("--unlabelled: 1 pictures are rated ones");
  expect([third.status, third.stderr]).toEqual([
    0,
    expect.stringContaining("33 labelled, 5 pseudo-labelled, 5 unlabelled"),
  ]);
});

test("what cannot be learned is refused before training, by line, value and what is allowed", async () => {
  await writeFile(at("kadis/ref_imgs/bad.csv"), "name,class\n0.png,3\n1.png,7\n2.png,good\n");
  const given = ["--out", "refused", "--no-check", "--model-labels", "kadis/ref_imgs/bad.csv"];
  const weight = acutance(...koka, ...given);
  expect([weight.status, weight.stderr]).toEqual([
    1,
    expect.stringContaining("has no column confidence, which --model-labels-weight needs; --model-labels-weight one"),
  ]);
  const classes = acutance(...koka, ...given, "--model-labels-weight", "one");
  expect(classes.stderr).toContain('line 3: 1.png: the class "7" is none; there are 5, 0 (the lowest quality) to 4.');
  expect(classes.stderr).toContain('line 4: 2.png: the class "good" is none');
  expect(classes.status).toBe(1);
  await writeFile(at("kadis/ref_imgs/extra.csv"), "name,mos\n0.png,3\n1.png,7\n2.png,good\n3.png,2.5\n4.png,\n");
  const extra = acutance(...koka, "--out", "refused", "--no-check", "--extra-labels", "kadis/ref_imgs/extra.csv");
  for (const [line, name, value] of [
    [3, "1.png", "7"],
    [4, "2.png", "good"],
    [5, "3.png", "2.5"],
  ])
    expect(extra.stderr).toContain(
      `${name} (line ${line}): the class "${value}" is none; there are 5, 0 (the lowest quality) to 4.`,
    );
  expect([extra.status, extra.stderr]).toEqual([1, expect.not.stringContaining("4.png")]);
  const levels = acutance(...koka, "--out", "refused", "--levels", "7");
  expect([levels.status, levels.stderr]).toEqual([
    1,
    expect.stringContaining("koka10k has 5 classes; give --levels 5"),
  ]);
  const unlaid = acutance(...koka, "--no-check", "--unlabelled", "koniq", "--unlabelled-set", "kadis-pristine");
  expect([unlaid.status, unlaid.stderr]).toEqual([
    1,
    expect.stringContaining("needs: kadis700k_ref_imgs.csv; ref_imgs/"),
  ]);
  expect(acutance(...koka, "--unlabelled-set", "kadis-pristine").stderr).toContain("--unlabelled does not say");
  expect(acutance(...koka, "--model-labels-folder", "kadis").stderr).toContain("--model-labels does not say");
});
