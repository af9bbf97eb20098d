import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import sharp from "sharp";
import { DatasetError, knownSets, loadDataset, loadKnownSet, officialSplit } from "../../../models/data/index.ts";
import { divide } from "../../../models/data/protocol.ts";
import { classOf, normaliseMos } from "../../../models/labels/labels.ts";
import golden from "../../golden/mat.json";
import { xlsx } from "./tables/xlsx.ts";

let root: string;
let png: Buffer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "acutance-sets-"));
  png = await sharp({ create: { width: 4, height: 4, channels: 3, background: "teal" } })
    .png()
    .toBuffer();
});
afterAll(() => rm(root, { recursive: true }));

/** Makes a replica of a data set: pictures by their names, score files with their content. */
async function replica(
  name: string,
  pictures: readonly string[],
  files: Readonly<Record<string, string | Uint8Array>>,
) {
  const folder = join(root, name);
  const all = { ...Object.fromEntries(pictures.map((picture) => [picture, png])), ...files };
  for (const [path, content] of Object.entries(all)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

describe("the layout of the authors", () => {
  test("KonIQ-10k: MOS from the grades, histogram, SD and official split; the larger pictures", async () => {
    const scores = `image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set
1.jpg,0.0,0.0,0.25,0.75,0.0,100,77.4,0.53,training
2.jpg,0.5,0.5,0.0,0.0,0.0,100,12.5,0.5,test
3.jpg,0.2,0.2,0.2,0.2,0.2,100,50,1.4,validation
`;
    const pictures = ["512x384", "1024x768"].flatMap((size) => ["1", "2", "3"].map((name) => `${size}/${name}.jpg`));
    const folder = await replica("koniq", pictures, { "koniq10k_distributions_sets.csv": scores });
    const { rows, range, rangeSource, problems } = await loadKnownSet("koniq", folder);
    expect(problems).toEqual([]);
    expect(range).toEqual([1, 5]);
    expect(rangeSource).toBe("nominal");
    expect(rows.map(({ mos }) => mos)).toEqual([3.75, 1.5, 3]);
    expect(rows[0]).toMatchObject({ sd: 0.53, histogram: [0, 0, 0.25, 0.75, 0], split: "training" });
    expect(rows[0]!.path).toBe(join(folder, "1024x768/1.jpg"));
    expect([...officialSplit(rows).keys()]).toEqual(["test", "training", "validation"]);
  });

  test("KonIQ-10k from the file with counts, which has no split, says so", async () => {
    const scores = `"image_name","c1","c2","c3","c4","c5","c_total","MOS","SD","MOS_zscore"\n"1.jpg",0,0,25,75,0,100,3.75,0.43,77\n`;
    const folder = await replica("koniq-counts", ["images/1.jpg"], { "koniq10k_scores_and_distributions.csv": scores });
    const { rows, warnings } = await loadKnownSet("koniq", folder);
    expect(rows[0]).toMatchObject({ mos: 3.75, sd: 0.43, histogram: [0, 0, 25, 75, 0] });
    expect(warnings.join(" ")).toContain("official split of KonIQ-10k is not at hand");
    expect(warnings.join(" ")).toContain("list 1 pictures; the complete KonIQ-10k has 10073");
  });

  test("KOKA10K: the class of a picture is the grade that most gave, of equals the lowest; a row without grades is a problem", async () => {
    const shares = [
      "0.6,0.2,0.2,0,0",
      "0.1,0.4,0.1,0.4,0",
      "0,0.1,0.45,0.45,0",
      "0,0,0.2,0.5,0.3",
      "5,10,15,20,50",
      "0.2,0.2,0.2,0.2,0.2",
      "0,0,0,0,0",
      ",,,,",
    ];
    const lines = shares.map((own, i) => `${i}.jpg,${own},100,50,0.5,training`);
    const scores = `image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set\n${lines.join("\n")}\n`;
    const pictures = shares.map((_, i) => `1024x768/${i}.jpg`);
    const folder = await replica("koka", pictures, { "koniq10k_distributions_sets.csv": scores });
    const { rows, range, problems } = await loadKnownSet("koka10k", folder);
    expect(range).toEqual([0, 4]);
    expect(rows.map(({ mos }) => mos)).toEqual([0, 1, 2, 3, 4, 0]);
    expect(problems.map(({ name, line }) => [name, line])).toEqual([
      ["6.jpg", 8],
      ["7.jpg", 9],
    ]);
    // What the head with five classes is taught.
    expect(rows.map(({ mos }) => classOf(normaliseMos(mos!, range!), 5))).toEqual([0, 1, 2, 3, 4, 0]);
  });

  test("KOKA10K: its split is one that trainings take, the same in any order of the lines", async () => {
    const lines = Array.from({ length: 40 }, (_, i) => `${i}.jpg,0,${i % 2},${1 - (i % 2)},0,0,100,50,0.5,test`);
    const header = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set";
    const pictures = lines.map((_, i) => `512x384/${i}.jpg`);
    const partsOf = async (name: string, own: readonly string[]) => {
      const files = { "koniq10k_distributions_sets.csv": `${header}\n${own.join("\n")}\n` };
      const { rows } = await loadKnownSet("koka10k", await replica(name, pictures, files));
      const parts = divide(rows, { protocol: "official", ratio: "4:1", seed: 3, by: "image" });
      return [parts.labelled, parts.validation, parts.test].map((part) => part.map((row) => row.name).sort());
    };
    const parts = await partsOf("koka-split", lines);
    expect(parts.map(({ length }) => length)).toEqual([32, 4, 4]);
    expect(await partsOf("koka-turned", lines.toReversed())).toEqual(parts);
  });

  test("SPAQ: a sheet of an .xlsx file", async () => {
    const sheet = xlsx("Sheet1", [
      ["Image name", "MOS", "Brightness"],
      ["00001.jpg", 48.86, 47.4],
      ["00002.jpg", 62.5, 55.4],
    ]);
    const folder = await replica("spaq", ["TestImage/00001.jpg", "TestImage/00002.jpg"], {
      "Annotations/MOS and Image attribute scores.xlsx": sheet,
    });
    const { rows, range } = await loadKnownSet("spaq", folder);
    expect(rows.map(({ name, mos }) => [name, mos])).toEqual([
      ["00001.jpg", 48.86],
      ["00002.jpg", 62.5],
    ]);
    expect(range).toEqual([0, 100]);
  });

  test("LIVE-C: three MAT-files; practice pictures are left out, a BMP is found in its converted copy", async () => {
    const files = Object.entries(golden.challenge).map(([name, base64]) => [
      `ChallengeDB_release/Data/${name}`,
      Buffer.from(base64, "base64"),
    ]);
    const pictures = [
      "trainingImages/t1.bmp",
      "trainingImages/t2.JPG",
      "3.png",
      "10.bmp",
      "10.png",
      "a b.JPG",
      "200.JPG",
    ];
    const folder = await replica(
      "livec",
      pictures.map((name) => `ChallengeDB_release/Images/${name}`),
      Object.fromEntries(files),
    );
    const { rows, problems } = await loadKnownSet("livec", folder);
    expect(problems).toEqual([]);
    expect(rows.map(({ name, mos, sd }) => [name, mos, sd])).toEqual([
      ["3.bmp", 63.9634, 18.3762],
      ["10.bmp", 25.3353, 13.6514],
      ["a b.JPG", 0, 12],
      ["200.JPG", 92.5, 9.25],
    ]);
    expect(rows.map(({ path }) => basename(path))).toEqual(["3.png", "10.png", "a b.JPG", "200.JPG"]);
  });

  test("BID: numbers become names", async () => {
    const sheet = xlsx("Plan1", [
      ["Image Number", "Average Grade"],
      [7, 2.5],
      [190, 4.25],
    ]);
    const pictures = ["ImageDatabase/DatabaseImage0007.JPG", "ImageDatabase/DatabaseImage0190.JPG"];
    const { rows } = await loadKnownSet("bid", await replica("bid", pictures, { "DatabaseGrades.xlsx": sheet }));
    expect(rows.map(({ name, mos }) => [name, mos])).toEqual([
      ["DatabaseImage0007.JPG", 2.5],
      ["DatabaseImage0190.JPG", 4.25],
    ]);
  });

  test("NNID: three lists, the same name in two sizes", async () => {
    const folder = await replica("nnid", ["NNID/sub512/a.png", "NNID/sub1024/a.png", "NNID/Sub2048/b.png"], {
      "NNID/mos512_with_names.txt": "0.25\ta.png\r\n",
      "NNID/mos1024_with_names.txt": "0.5\ta.png\n",
      "NNID/mos2048_with_names.txt": "0.75\tb.png\n",
    });
    const { rows, rangeSource } = await loadKnownSet("nnid", folder);
    expect(rows.map(({ path, mos }) => [path.slice(folder.length + 1), mos])).toEqual([
      ["NNID/sub512/a.png", 0.25],
      ["NNID/sub1024/a.png", 0.5],
      ["NNID/Sub2048/b.png", 0.75],
    ]);
    expect(rangeSource).toBe("observed");
    expect((await loadKnownSet("nnid", folder, { range: [0, 1] })).range).toEqual([0, 1]);
  });

  test("CID2013: realigned MOS below 0, scenes as groups", async () => {
    const sheet = xlsx("CID2013 MOS", [
      ["Source_ID", "MOS", "Realigned MOS"],
      ["IS_I_C01_D01", 1, -9.5],
      ["IS_II_C03_D11", 50, 60.25],
    ]);
    const folder = await replica("cid", ["IS1/co1/IS_I_C01_D01.jpg", "IS2/co3/IS_II_C03_D11.jpg"], {
      "CID2013 data - version 12112014.xlsx": sheet,
    });
    const { rows, problems } = await loadKnownSet("cid2013", folder);
    expect(problems).toEqual([]);
    expect(rows.map(({ mos, group }) => [mos, group])).toEqual([
      [-9.5, "C01"],
      [60.25, "C03"],
    ]);
  });

  test("KADID-10k: the column dmos is higher for better pictures and stays as it is; references are groups", async () => {
    const scores = "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0.496\nI02_01_05.png,I02.png,1.2,0.4\n";
    const pictures = ["I01.png", "I01_01_01.png", "I02_01_05.png"].map((name) => `images/${name}`);
    const { rows, warnings } = await loadKnownSet("kadid", await replica("kadid", pictures, { "dmos.csv": scores }));
    expect(rows.map(({ name, mos, sd, group }) => [name, mos, sd, group])).toEqual([
      ["I01_01_01.png", 4.57, 0.496, "I01.png"],
      ["I02_01_05.png", 1.2, 0.4, "I02.png"],
    ]);
    expect(warnings.join(" ")).not.toContain("DMOS");
  });

  test("TID2013: words, names in either case, groups by reference", async () => {
    const pictures = ["distorted_images/I01_01_1.png", "distorted_images/i25_24_5.png", "reference_images/I01.png"];
    const folder = await replica("tid", pictures, {
      "mos_with_names.txt": "5.51429 I01_01_1.bmp\n0.24242 i25_24_5.bmp\n",
    });
    const { rows } = await loadKnownSet("tid2013", folder);
    expect(rows.map(({ mos, group }) => [mos, group])).toEqual([
      [5.51429, "I01"],
      [0.24242, "I25"],
    ]);
  });

  test("KADIS-700k: no scores; pictures that were generated, with their reference as group", async () => {
    const folder = await replica(
      "kadis",
      ["ref_imgs/plant-14.png", "ref_imgs/sea.png", "dist_imgs/plant-14_07_05.png"],
      {
        "kadis700k_ref_imgs.csv": "ref_im,dist_type_1\nplant-14.png,7\nsea.png,12\n",
      },
    );
    const { rows, range } = await loadKnownSet("kadis", folder);
    expect(rows.map(({ name, group, mos }) => [name, group, mos])).toEqual([
      ["plant-14.png", "plant-14", undefined],
      ["plant-14_07_05", "plant-14", undefined],
      ["sea.png", "sea", undefined],
    ]);
    expect(range).toBeUndefined();
  });

  test("KADIS-700k, pristine: what its list names and ref_imgs holds; a folder that is not laid out so is refused", async () => {
    const list = { "kadis700k_ref_imgs.csv": "ref_im,dist_type_1\nplant-14.png,7\nsea.png,12\n" };
    const folder = await replica(
      "kadis-pristine",
      ["ref_imgs/plant-14.png", "ref_imgs/sea.png", "ref_imgs/other.png", "dist_imgs/plant-14_07_05.png"],
      list,
    );
    const { rows, range } = await loadKnownSet("kadis-pristine", folder);
    expect(rows.map(({ name, path, mos }) => [name, path.split("/").at(-2), mos])).toEqual([
      ["plant-14.png", "ref_imgs", undefined],
      ["sea.png", "ref_imgs", undefined],
    ]);
    expect(range).toBeUndefined();
    const needs = "needs: kadis700k_ref_imgs.csv; ref_imgs/";
    const other = await replica("kadis-unlisted", ["ref_imgs/sea.png"], {});
    await expect(loadKnownSet("kadis-pristine", other)).rejects.toThrow(needs);
    const empty = await replica("kadis-empty", [], list);
    await expect(loadKnownSet("kadis-pristine", empty)).rejects.toThrow(needs);
    const degraded = await replica("kadis-degraded", ["dist_imgs/plant-14_07_05.png"], list);
    await expect(loadKnownSet("kadis-pristine", degraded)).rejects.toThrow("No usable row is left");
  });

  test("FLIVE: pictures and patches, the split of the pictures for both", async () => {
    const files = {
      "labels_image.csv": "name,mos\nvoc/a.jpg,70\nava/b.jpg,60\nava/c.jpg,50\n",
      "labels_patch.csv": "name,mos\npatches/a_patch_1.jpg,71\npatches/b_patch_3.jpg,61\n",
      "labels=640_padded.csv": "name_image,mos_image,is_valid\nvoc/a.jpg,70,False\nava/b.jpg,60,True\n",
      "labels640.csv": "name_image,mos_image\nava/c.jpg,50\n",
    };
    const names = ["voc/a.jpg", "ava/b.jpg", "ava/c.jpg", "patches/a_patch_1.jpg", "patches/b_patch_3.jpg"];
    const folder = await replica(
      "flive",
      names.map((name) => `database/${name}`),
      files,
    );
    const whole = await loadKnownSet("flive", folder);
    expect(whole.rows.map(({ group, split }) => [group, split])).toEqual([
      ["a", "training"],
      ["b", "validation"],
      ["c", "test"],
    ]);
    const patches = await loadKnownSet("flive-patches", folder);
    expect(patches.rows.map(({ mos, group, split }) => [mos, group, split])).toEqual([
      [71, "a", "training"],
      [61, "b", "validation"],
    ]);
  });
});

describe("what is missing", () => {
  test("a score file: its name, and where to get the set", async () => {
    for (const [name, { source }] of Object.entries(knownSets)) {
      const folder = await replica(`empty-${name}`, ["a.jpg"], {});
      const error = await loadKnownSet(name, folder).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DatasetError);
      expect((error as Error).message).toContain("holds no");
      expect((error as Error).message).toContain(source);
    }
  });

  test("pictures, single ones, columns, sheets, and the set itself", async () => {
    const scores = "dist_img,ref_img,dmos,var\nI01_01_01.png,I01.png,4.57,0.496\nI01_01_02.png,I01.png,3,0.5\n";
    await expect(loadKnownSet("kadid", await replica("k1", [], { "dmos.csv": scores }))).rejects.toThrow(
      'holds no pictures (expected in "images")',
    );
    const partial = await loadKnownSet("kadid", await replica("k2", ["images/I01_01_01.png"], { "dmos.csv": scores }));
    expect(partial.problems).toEqual([expect.objectContaining({ kind: "missing", name: "I01_01_02.png", line: 3 })]);
    const folder = await replica("k3", ["images/a.png"], { "dmos.csv": "name,mos\na.png,1\n" });
    await expect(loadKnownSet("kadid", folder)).rejects.toThrow(
      'no column "dist_img", "ref_img", "dmos"; it has name, mos',
    );
    const sheet = xlsx("Other", [["Source_ID", "Realigned MOS"]]);
    const cid = await replica("k4", ["a.jpg"], { "CID2013 data - version 12112014.xlsx": sheet });
    await expect(loadKnownSet("cid2013", cid)).rejects.toThrow("CID2013 MOS");
    const torn = await replica("k5", ["a.jpg"], { "DatabaseGrades.xlsx": sheet.subarray(0, 300) });
    await expect(loadKnownSet("bid", torn)).rejects.toThrow("cannot be read");
    await expect(loadKnownSet("kadid20k", folder)).rejects.toThrow("known are koniq, spaq");
    await expect(loadKnownSet("kadid", join(root, "nowhere"))).rejects.toThrow("nowhere cannot be read");
  });
});

test("scores of which lower is better are turned round within the range, histograms with them", async () => {
  const folder = await replica("turned", ["a.jpg", "b.jpg"], {
    "scores.csv": "file,dmos,c1,c2\na.jpg,20,1,3\nb.jpg,100,0,1\n",
  });
  const options = { folder, csv: join(folder, "scores.csv"), lowerIsBetter: true } as const;
  const { rows, warnings } = await loadDataset({ ...options, range: [0, 100] });
  expect(rows.map(({ mos, histogram }) => [mos, histogram])).toEqual([
    [80, [3, 1]],
    [0, [1, 0]],
  ]);
  expect(warnings).toEqual([]);
  await expect(loadDataset(options)).rejects.toThrow("pass range");
});
