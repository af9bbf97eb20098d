import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { registerCompare, shareOf } from "../../cli/profile-compare.ts";
import { kernelProfile, profileOf } from "../engine/profile/profiles.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-compare-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

const before = file("a.json", profileOf([kernelProfile("tile", 10, 0.1, 20), kernelProfile("same", 1, 0.1, 20)]));
const after = file("b.json", profileOf([kernelProfile("tile", 12, 0.1, 20), kernelProfile("same", 1, 0.1, 20)]));

/** What the command prints, and the exit code it asks for. */
function compare(words: string[]): { stdout: string; code: number } {
  const printed: unknown[] = [];
  const { log } = console;
  const exitBefore = process.exitCode;
  console.log = (text: unknown) => printed.push(text);
  try {
    process.exitCode = 0;
    const program = new Command("profile").exitOverride();
    registerCompare(program);
    program.parse(["compare", ...words], { from: "user" });
    return { stdout: printed.join("\n"), code: Number(process.exitCode) };
  } finally {
    process.exitCode = exitBefore ?? 0;
    console.log = log;
  }
}

test("a regression ends with exit code 1, within the threshold with 0", () => {
  const { stdout, code } = compare([before, after]);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /conv\/tile · conv2d · layer1\.0\.conv1 · forward +10\.00 +12\.00 +\+20\.0 % +±\d\.\d % +20 +\+40\.000 +slower/,
  );
  expect(stdout).toContain("1 of 2 kernels are slower by more than 5.0 % and noise");
  expect(compare([before, after, "--threshold", "25%"]).code).toBe(0);
  expect(compare([after, before]).code).toBe(0);
});

test("JSON and Markdown", () => {
  expect(JSON.parse(compare([before, after, "--json"]).stdout)).toMatchObject({ regressions: 1, threshold: 0.05 });
  const { stdout } = compare([before, after, "--markdown"]);
  expect(stdout).toContain("| kernel | before ms | after ms |");
  expect(stdout).toMatch(/^\| conv\/tile .* \| \*\*slower\*\* \|$/m);
});

test("files that are no profiles are refused with the first faults", () => {
  expect(() => compare([before, join(folder, "none.json")])).toThrow("none.json is no profile: ");
  expect(() => compare([file("text.json", "{"), after])).toThrow("text.json is no profile: ");
  const broken = { ...profileOf([]), version: 2, clock: undefined };
  expect(() => compare([before, file("broken.json", broken)])).toThrow(
    /as acutance profile writes it:\n {2}version: .*\n {2}clock: /,
  );
});

test("shares", () => {
  expect([shareOf("5%"), shareOf("0.5 %"), shareOf("0.2")]).toEqual([0.05, 0.005, 0.2]);
  expect(() => shareOf("five")).toThrow("expected a share");
});
