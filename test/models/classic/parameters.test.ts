import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { brisqueOf } from "../../../models/classic/brisque.ts";
import {
  classicScores,
  makeBrisqueParameters,
  makeNiqeParameters,
  openClassicScorer,
  readBrisqueParameters,
  readNiqeParameters,
} from "../../../models/classic/index.ts";
import { gaussianOf, niqeBlocks } from "../../../models/classic/niqe.ts";
import { PictureError } from "../../../models/data/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { golden, madePicture, pixels } from "./pictures.ts";

const device = await sharedDevice();
let folder = "";
const at = (name: string) => join(folder, name);
const file = async (name: string, content: string | Uint8Array) => {
  await writeFile(at(name), content);
  return at(name);
};
const picture = (name: string, kind: string, width: number, height: number, seed: number) =>
  sharp(pixels(kind, height, width, seed), { raw: { width, height, channels: 3 } })
    .png()
    .toFile(at(name));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-classic-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const index = [...Array(36).keys()];

describe("parameters of NIQE", () => {
  test.each(["npz", "mat"] as const)("of a .%s file of the authors' names", async (form) => {
    const bytes = Buffer.from(golden<Record<string, string>>("classic_parameters")[form]!, "base64");
    const { mean, covariance } = await readNiqeParameters(await file(`a.${form}`, bytes));
    index.forEach((i) => {
      expect(mean[i]).toBeCloseTo(0.4 + 0.3 * Math.cos(1.7 * i), 14);
      for (const j of index) expect(covariance[i]![j]).toBeCloseTo(0.2 * Math.exp(-Math.abs(i - j) / 5), 14);
    });
    const damaged = await file(`b.${form}`, bytes.subarray(0, bytes.length / 2));
    await expect(readNiqeParameters(damaged)).rejects.toThrow(damaged);
  });

  test("another file is refused with what it is", async () => {
    await expect(readNiqeParameters(await file("a.json", '{"method":"brisque"}'))).rejects.toThrow(
      "parameters of NIQE",
    );
    await expect(readNiqeParameters(await file("a.txt", "svm_type epsilon_svr"))).rejects.toThrow("no JSON");
    await expect(readNiqeParameters(at("none"))).rejects.toThrow("there is no such file");
  });

  test("are those of the sharp blocks of pictures, and a picture is nearer its own kind", async () => {
    const names = [1, 2, 3, 4, 5].map((seed) => `good${seed}.png`);
    for (const [i, name] of names.entries()) await picture(name, "waves", 400, 400, i + 1);
    const broken = await file("broken.png", "no picture");
    const { parameters, leftOut } = await makeNiqeParameters(device, [...names.map(at), broken]);
    expect(leftOut.map(({ path }) => path)).toEqual([broken]);
    const blocks: number[][] = [];
    for (const seed of [1, 2, 3, 4, 5]) {
      using tensor = madePicture(device, "waves", 400, 400, seed);
      const { features, sharpness } = await niqeBlocks(tensor, true);
      const most = Math.max(...sharpness!);
      blocks.push(...features.filter((_, i) => sharpness![i]! > 0.75 * most));
    }
    expect(parameters).toEqual({ method: "niqe", pictures: 5, blocks: blocks.length, ...gaussianOf(blocks) });

    const path = await file("niqe.json", JSON.stringify(parameters));
    await picture("natural.png", "waves", 300, 300, 9);
    await picture("noise.png", "noise", 300, 300, 9);
    await using scorer = await openClassicScorer({ method: "niqe", parameters: path, device });
    const natural = await scorer.score(at("natural.png"));
    expect(natural).toBeGreaterThan(0);
    expect(await scorer.score(at("noise.png"))).toBeGreaterThan(10 * natural);
    const all = await classicScores(device, [at("natural.png"), broken], { method: "niqe", parameters });
    expect(all).toEqual([natural, expect.any(PictureError)]);
    await expect(openClassicScorer({ method: "brisque", parameters, device })).rejects.toThrow(
      'method of the parameters must be "brisque", got "niqe"',
    );
  });

  test("too few blocks are refused", async () => {
    await picture("one.png", "waves", 200, 100, 1);
    await expect(makeNiqeParameters(device, [at("one.png")])).rejects.toThrow("at least 37 are needed");
  });
});

describe("parameters of BRISQUE", () => {
  const model = [
    ...["svm_type epsilon_svr", "kernel_type rbf", "gamma 0.05", "nr_class 2", "total_sv 2", "rho -3", "SV"],
    ...["1.5 1:0.5 36:-0.25 ", "-0.5 2:1 ", ""],
  ].join("\n");
  const scaling = (least: number, most: number) =>
    ["x", "-1 1", ...index.map((i) => `${i + 1} ${least} ${most}`)].join("\n");

  test("of a text model of LIBSVM with svm-scale's range or JSON", async () => {
    const svm = await file("svm.txt", model);
    const read = await readBrisqueParameters(svm, await file("range.txt", scaling(0, 2)));
    const json = JSON.stringify({ min_: index.map(() => 0), max_: index.map(() => 2) });
    expect(await readBrisqueParameters(svm, await file("range.json", json))).toEqual(read);
    // Features of 1 are brought to 0.
    const expected = 3 + 1.5 * Math.exp(-0.05 * (0.25 + 0.0625)) - 0.5 * Math.exp(-0.05);
    expect(brisqueOf(Array(36).fill(1), read)).toBeCloseTo(expected, 12);
    expect(read).toMatchObject({ range: [0, 100], lowerIsBetter: true });
    expect(await readBrisqueParameters(await file("own.json", JSON.stringify(read)))).toEqual(read);
  });

  test.each([
    [model, undefined, "name the file that says how with `featureRange`"],
    [model, "x\n0 1\n", "says no scaling of 36 features"],
    [model, scaling(2, 2), "each maximum above its minimum"],
    [model.replace("total_sv 2", "total_sv 3"), scaling(0, 1), "it has 2 vectors and says 3"],
    [model.replace("rbf", "linear"), scaling(0, 1), "is a epsilon_svr with the kernel linear"],
    [model.replace("36:", "37:"), scaling(0, 1), 'not one of number "37:-0.25"'],
    [model.replace("rho -3", "rho x"), scaling(0, 1), "offset"],
    ["{}", undefined, "parameters of BRISQUE"],
  ])("another file is refused: %#", async (text, range, message) => {
    const given = range === undefined ? undefined : await file("wrong-range", range);
    await expect(readBrisqueParameters(await file("wrong", text), given)).rejects.toThrow(message);
  });

  test("are learnt from ratings, whose scale and direction the scores have", async () => {
    const rows = Array.from({ length: 24 }, (_, i) => ({ path: at(`rated${i}.png`), mos: 10 + 3 * i }));
    for (const [i, { path }] of rows.entries()) {
      const noise = pixels("noise", 70, 90, i);
      const bytes = pixels("waves", 70, 90, i).map((value, k) => value + ((noise[k]! - value) * (23 - i)) / 23);
      await sharp(bytes, { raw: { width: 90, height: 70, channels: 3 } })
        .png()
        .toFile(path);
    }
    const { parameters, leftOutSrcc } = await makeBrisqueParameters(device, rows, [0, 100]);
    expect(parameters).toMatchObject({ pictures: 24, range: [0, 100], lowerIsBetter: false });
    expect(leftOutSrcc).toBeGreaterThan(0.9);
    const path = await file("brisque.json", JSON.stringify(parameters));
    await using scorer = await openClassicScorer({ method: "brisque", parameters: path, device });
    const [worst, best] = [await scorer.score(rows[1]!.path), await scorer.score(rows[22]!.path)];
    expect(Math.abs(worst - 13)).toBeLessThan(10);
    expect(Math.abs(best - 76)).toBeLessThan(10);
    await expect(makeBrisqueParameters(device, rows.slice(0, 9), [0, 100])).rejects.toThrow("from at least 10");
  });
});

const shared = new URL("../../../../shared/", import.meta.url).pathname;
const weights = (name: string) => join(shared, "weights", name);
const isThere = existsSync(weights("niqe_pris_params.npz"));

describe.skipIf(!isThere)(`published parameters${isThere ? "" : " (../shared is not there)"}`, () => {
  test("open, and a photograph of the demo scores where photographs do", async () => {
    const { photographPath } = await import("../../../models/demo.ts");
    const photograph = photographPath("airplane-from-above");
    const [parameters, svm] = [weights("niqe_pris_params.npz"), weights("brisque_svm.txt")];
    const featureRange = weights("brisque_normalize.json");
    await using niqe = await openClassicScorer({ method: "niqe", parameters, device });
    await using brisque = await openClassicScorer({ method: "brisque", parameters: svm, featureRange, device });
    const blurred = await sharp(photograph).blur(3).png().toBuffer();
    const [sharpNiqe, blurredNiqe] = [await niqe.score(photograph), await niqe.score(blurred)];
    const [sharpBrisque, blurredBrisque] = [await brisque.score(photograph), await brisque.score(blurred)];
    expect(sharpNiqe).toBeGreaterThan(1);
    expect(sharpNiqe).toBeLessThan(blurredNiqe);
    expect(sharpBrisque).toBeLessThan(blurredBrisque);
  });
});
