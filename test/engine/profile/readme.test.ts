import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readHistory } from "../../../engine/bench-history.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const text = readFileSync(join(root, "engine/profile/README.md"), "utf8");
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, block]) => block!.trim());
const folder = mkdtempSync(join(tmpdir(), "acutance-profile-readme-"));

beforeAll(() => {
  // The examples' program is the heat of the tests, which needs its packages.
  const heat = readFileSync(join(root, "test/engine/profile/program/heat.mjs"), "utf8");
  writeFileSync(join(folder, "program.mjs"), heat);
  // Records of one commit.
  for (const words of ["init -q", "-c user.name=t -c user.email=t@example.invalid commit -q --allow-empty -m one"])
    expect(run("git", words.split(" ")).status).toBe(0);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(file: string, words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(file, words, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

/** Words of a line, those in quotes together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

describe("the README of profiles", () => {
  for (const line of blocks("sh").flatMap((block) => block.split("\n"))) {
    test(line, () => {
      const [name, ...words] = wordsOf(line);
      expect(name).toBe("acutance");
      const program = words.map((word) => (word === "bun" ? process.execPath : word));
      const isSweep = words.includes("--sweep");
      const { status, stderr } = run(process.execPath, [join(root, "cli/main.ts"), ...program]);
      // Of one commit alone a gate has nothing to say.
      if (words[1] === "gate") expect([status, stderr]).toEqual([1, expect.stringContaining("nothing to compare")]);
      else expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
      if (isSweep) expect(status).toBe(0);
    }, 120_000);
  }

  test("its examples write what they say", () => {
    for (const file of ["page.html", "profile.json", "step.zip", "history.html", "both.html"])
      expect([file, existsSync(join(folder, file))]).toEqual([file, true]);
    expect(readHistory(join(folder, "bench-history.jsonl"))).toHaveLength(3);
  });

  test("its example in TypeScript runs", () => {
    const [example] = blocks("ts");
    const file = join(folder, "example.ts");
    writeFileSync(file, example!.replace("acutance/engine", join(root, "engine/index.ts")));
    const { status, stdout } = run(process.execPath, [file]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/true/);
  }, 60_000);
});
