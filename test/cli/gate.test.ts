import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseXml, type XmlElement } from "@rgrove/parse-xml";
import { annotation } from "../../cli/score-gate.ts";
import { knownScores } from "../models/scoring/fixtures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;

let folder = "";
let model = "";
let expected: number[] = [];
const names = [
  "a, b.png",
  '100%: <x> & "y".png',
  "c.png",
  "d.png",
  "e.png",
  "f.png",
  "g.png",
  "h.png",
  "i.png",
  "j.png",
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-gate-"));
  const known = await knownScores(folder, 10);
  ({ model, expected } = known);
  for (const name of ["all", "good", "bad"]) await mkdir(join(folder, name));
  const order = [...expected.keys()].sort((a, b) => expected[a]! - expected[b]!);
  for (const [i, bytes] of known.pictures.entries()) {
    await writeFile(join(folder, "all", names[i]!), bytes);
    await writeFile(join(folder, order.indexOf(i) < 5 ? "bad" : "good", names[i]!), bytes);
  }
  await writeFile(join(folder, "all", "no\npicture.png"), "a text");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function acutance(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words, "--model", model], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

describe("a gate", () => {
  test("fails with 3 and lists what is below, in the log, as annotations and as JUnit", async () => {
    const threshold = expected.toSorted((a, b) => a - b)[4]!;
    const { status, stderr, stdout } = acutance(
      ...[
        "score",
        "all",
        "--csv",
        "--fail-below",
        String(threshold),
        "--annotations",
        "github",
        "--junit",
        "report.xml",
      ],
    );
    expect(status).toBe(3);
    expect(stdout.trim().split("\n").length).toBeGreaterThanOrEqual(12);
    const below = names.filter((_, i) => expected[i]! < threshold);
    expect(below).toHaveLength(4);
    expect(stderr).toContain(`4 of 11 pictures are below ${threshold}:`);
    for (const name of below) expect(stderr).toContain(`: all/${name}\n`);
    const annotations = stderr.split("\n").filter((line) => line.startsWith("::error "));
    expect(annotations).toHaveLength(5);
    expect(annotations.filter((line) => line.includes("title=Picture without a score"))).toEqual([
      expect.stringMatching(/^::error file=all\/no%0Apicture.png,title=Picture without a score::not a picture/),
    ]);
    const xml = parseXml(await readFile(join(folder, "report.xml"), "utf8"));
    const suites = xml.root!;
    expect(suites.attributes).toEqual({ tests: "11", failures: "4", errors: "1" });
    const elements = ({ children }: XmlElement) =>
      children.filter((child): child is XmlElement => "attributes" in child);
    const [suite] = elements(suites);
    expect(suite!.attributes["name"]).toBe("acutance score");
    const cases = elements(suite!);
    expect(cases.map(({ attributes }) => attributes["name"]!).sort()).toEqual(
      [...names, "no\\x0Apicture.png"].map((name) => `all/${name}`).sort(),
    );
    const failing = cases.filter((one) => elements(one).some(({ name }) => name === "failure"));
    expect(failing.map(({ attributes }) => attributes["name"]).sort()).toEqual(
      below.map((name) => `all/${name}`).sort(),
    );
    expect(cases.filter((one) => elements(one).some(({ name }) => name === "error"))).toHaveLength(1);
  });

  test("passes what is not below, and what cannot be scored still ends with 1", () => {
    const least = Math.min(...expected);
    expect(acutance("score", "good", "bad", "--fail-below", String(least)).status).toBe(0);
    expect(acutance("score", "all", "--fail-below", String(least)).status).toBe(1);
  });

  test("a threshold outside of the range is refused", () => {
    const { status, stderr } = acutance("score", "good", "--fail-below", "101");
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining("--fail-below 101 is not within the range of scores, 0 to 100"),
    ]);
  });
});

test("annotations are escaped as GitHub reads them", () => {
  expect(annotation("a:b,c%\n.png", "T: t", "50 %\r\n::error::x")).toBe(
    "::error file=a%3Ab%2Cc%25%0A.png,title=T%3A t::50 %25%0D%0A::error::x",
  );
});

describe("acutance calibrate", () => {
  test("finds the threshold between two folders, and the gate takes it", () => {
    const { status, stdout } = acutance("calibrate", "--good", "good", "--bad", "bad", "--json");
    expect(status).toBe(0);
    const found = JSON.parse(stdout);
    expect(found).toMatchObject({ rule: "balanced", good: 5, bad: 5, auc: { value: 1 }, own: { balancedError: 0 } });
    expect(found.warnings.join()).toContain("are few");
    expect(found.command).toBe(`acutance score photos --model ${model} --fail-below ${found.threshold}`);
    const gate = acutance("score", "good", "bad", "--fail-below", String(found.threshold));
    expect([gate.status, gate.stderr]).toEqual([3, expect.stringContaining("5 of 10 pictures are below")]);
  });

  test("says so where the scores do not separate, and what it cannot take", () => {
    const { status, stdout, stderr } = acutance(
      "calibrate",
      "--good",
      "bad",
      "--bad",
      "good",
      "--max-false-alarms",
      "20%",
    );
    expect(status).toBe(0);
    expect(stdout).toContain("AUC 0.000");
    expect(stderr).toContain("do not use this threshold");
    expect(acutance("calibrate", "--good", "good", "--bad", "good/c.png").stderr).toContain(
      "--bad: at least 5 pictures are needed, found",
    );
    expect(acutance("calibrate", "--good", "good", "--bad", "good").stderr).toContain("is among --good and --bad");
    expect(acutance("calibrate", "--good", "good", "--bad", "bad", "--max-false-alarms", "120%").status).not.toBe(0);
  });
});
