import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { knownSets } from "../../../models/data/index.ts";
import { SetFiles } from "../../../models/data/sets/files.ts";
import { readTable } from "../../../models/data/tables/table.ts";
import { xlsx } from "./tables/xlsx.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "acutance-tables-"));
});
afterAll(() => rm(root, { recursive: true }));

const tables = new URL("../../../../shared/data/mos/", import.meta.url).pathname;
const published = existsSync(tables) ? describe : describe.skip;

published("published score tables (skipped without ../shared/data/mos)", () => {
  /** Entries of a set whose score file is made from a stored table. */
  async function entriesOf(name: string, file: string, content: string | Uint8Array | { link: string }) {
    const folder = join(root, `table-${name}`);
    await mkdir(folder);
    if (typeof content === "object" && "link" in content) await symlink(content.link, join(folder, file));
    else await writeFile(join(folder, file), content);
    const entries = await knownSets[name]!.read(await SetFiles.open(folder, ""));
    const mos = entries.map((entry) => Number(entry.mos));
    const [low, high] = knownSets[name]!.range!;
    expect(mos.every((value) => value >= low && value <= high)).toBe(true);
    expect(entries.length).toBe(knownSets[name]!.size);
    return { entries, lowest: Math.min(...mos), highest: Math.max(...mos) };
  }

  test("KonIQ-10k: 10,073 pictures, SD and MOS agree with the grades, the split has 7058, 1000, 2015", async () => {
    const link = { link: join(tables, "koniq10k.csv") };
    const { entries, lowest, highest } = await entriesOf("koniq", "koniq10k_distributions_sets.csv", link);
    expect(lowest).toBeCloseTo(1.0962, 4);
    expect(highest).toBeCloseTo(4.31, 4);
    const count = (part: string) => entries.filter(({ split }) => split === part).length;
    expect(["training", "validation", "test"].map(count)).toEqual([7058, 1000, 2015]);
    for (const { mos, sd, histogram } of entries) {
      const variance = histogram!.reduce<number>(
        (sum, share, i) => sum + Number(share) * (i + 1 - Number(mos)) ** 2,
        0,
      );
      // The table divides by n − 1, n about 100.
      expect(Math.abs(Math.sqrt(variance) - Number(sd))).toBeLessThan(0.02);
    }
  });

  test("KOKA10K: 76, 1379, 5150, 3468 and 0 pictures of a class; the split has a tenth of each to validate and to test", async () => {
    const link = { link: join(tables, "koniq10k.csv") };
    const { entries } = await entriesOf("koka10k", "koniq10k_distributions_sets.csv", link);
    const counts = (part?: string) =>
      [0, 1, 2, 3, 4].map((c) => entries.filter(({ mos, split }) => mos === c && (!part || split === part)).length);
    expect(counts()).toEqual([76, 1379, 5150, 3468, 0]);
    expect(counts("training")).toEqual([60, 1103, 4120, 2774, 0]);
    expect(counts("validation")).toEqual([7, 137, 515, 346, 0]);
    expect(counts("test")).toEqual([9, 139, 515, 348, 0]);
  });

  test("SPAQ: 11,125 pictures from 2 to 96", async () => {
    const link = { link: join(tables, "spaq.csv") };
    const { lowest, highest } = await entriesOf("spaq", "MOS and Image attribute scores.csv", link);
    expect([lowest, highest]).toEqual([2, 96]);
  });

  test("KADID-10k: 10,125 pictures, 81 references; level 1 is rated above level 5, so higher is better", async () => {
    const table = (await readFile(join(tables, "kadid10k.csv"), "utf8")).split("\n").slice(1).filter(Boolean);
    const lines = table.map((line) => line.split(",")).map(([ref, dist, dmos, sd]) => [dist, ref, dmos, sd].join(","));
    const { entries, lowest, highest } = await entriesOf(
      "kadid",
      "dmos.csv",
      ["dist_img,ref_img,dmos,var", ...lines].join("\n"),
    );
    expect([lowest, highest]).toEqual([1, 4.93]);
    expect(new Set(entries.map(({ group }) => group)).size).toBe(81);
    const mean = (level: string) => {
      const mos = entries.filter(({ name }) => name.endsWith(`_0${level}.png`)).map((entry) => Number(entry.mos));
      return mos.reduce((a, b) => a + b, 0) / mos.length;
    };
    expect(mean("1") - mean("5")).toBeGreaterThan(1);
    // Grades within [1, 5] with mean m deviate by √((m − 1)(5 − m)) at most: the column "var" does, its root does not.
    const beyond = (deviation: (value: number) => number) =>
      entries.filter(({ mos, sd }) => deviation(Number(sd)) > Math.sqrt((Number(mos) - 1) * (5 - Number(mos))) + 0.02);
    expect(beyond((value) => value)).toEqual([]);
    expect(beyond(Math.sqrt).length).toBeGreaterThan(0);
  });

  test("TID2013: 3,000 pictures, 25 references, 0.24 to 7.21 of 9", async () => {
    const { header, records } = await readTable(join(tables, "tid2013.csv"));
    const [mos, name] = [header.indexOf("mos"), header.indexOf("dist_name")];
    const lines = records.map(({ fields }) => `${fields[mos]} ${fields[name]}`).join("\n");
    const { entries, lowest, highest } = await entriesOf("tid2013", "mos_with_names.txt", lines);
    expect([lowest, highest]).toEqual([0.24242, 7.21429]);
    expect(new Set(entries.map(({ group }) => group)).size).toBe(25);
  });

  test("CID2013: 474 pictures of 8 scenes, −9.55 to 87.88", async () => {
    const { records } = await readTable(join(tables, "cid2013.txt"));
    const rows = records.map(({ fields: [path = "", , score] }) => [basename(path, ".jpg"), Number(score)]);
    const sheet = xlsx("CID2013 MOS", [["Source_ID", "Realigned MOS"], ...rows]);
    const { entries, lowest, highest } = await entriesOf("cid2013", "CID2013 data - version 12112014.xlsx", sheet);
    expect(lowest).toBeCloseTo(-9.549, 3);
    expect(highest).toBeCloseTo(87.882, 3);
    expect(new Set(entries.map(({ group }) => group)).size).toBe(8);
  });
});
