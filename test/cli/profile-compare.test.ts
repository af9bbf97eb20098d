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
function compare(words: string[]): { stdout: string; stderr: string; code: number } {
  const [printed, told]: [unknown[], unknown[]] = [[], []];
  const { log, error } = console;
  const exitBefore = process.exitCode;
  console.log = (text: unknown) => printed.push(text);
  console.error = (text: unknown) => told.push(text);
  try {
    process.exitCode = 0;
    const program = new Command("profile").exitOverride();
    registerCompare(program);
    program.parse(["compare", ...words], { from: "user" });
    return { stdout: printed.join("\n"), stderr: told.join("\n"), code: Number(process.exitCode) };
  } finally {
    process.exitCode = exitBefore ?? 0;
    console.log = log;
    console.error = error;
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

test("unmatched kernels, nothing to compare and other commands fail", () => {
  const more = file("c.json", profileOf([kernelProfile("tile", 10, 0.1, 20), kernelProfile("other", 1, 0.1, 20)]));
  expect(compare([before, more])).toMatchObject({ code: 1 });
  expect(compare([before, more]).stderr).toContain("2 of 3 kernels ran in only one of the profiles");
  expect(compare([before, more]).stdout).toContain("; 2 ran in only one of the profiles");
  expect(compare([before, more, "--allow-unmatched"])).toMatchObject({ code: 0, stderr: "" });
  const alone = file("d.json", profileOf([kernelProfile("elsewhere", 1, 0.1, 20)]));
  expect(compare([before, alone, "--allow-unmatched"])).toMatchObject({ code: 1 });
  const elsewhere = { ...profileOf([kernelProfile("tile", 10, 0.1, 20)]), command: "bench" };
  const forced = file("e.json", elsewhere);
  expect(() => compare([before, forced])).toThrow('different commands (command: "score photos" before, "bench" after)');
  expect(compare([forced, forced]).stdout).toContain("note: both profiles are of the same run");
});

test("damaged and foreign files are named with what is wrong", () => {
  const whole = JSON.stringify(profileOf([kernelProfile("tile", 10, 0.1, 20)]), null, 1);
  const refused = (name: string, text: string, words: string | RegExp) =>
    expect(() => compare([before, file(name, text)])).toThrow(words);
  refused(
    "cut.json",
    whole.slice(0, 300),
    /cut\.json is no profile: it is not JSON at line \d+, column \d+, its end: the file is cut/,
  );
  refused(
    "letter.json",
    whole.replace('"version": 1', '"version": !'),
    /letter\.json is no profile: it is not JSON at line 3, column \d+$/,
  );
  refused("empty.json", "", "empty.json is no profile: the file is empty");
  refused("trace.json", '{"traceEvents": []}', "(--trace writes another form)");
  for (const foreign of ["[]", "3", "null", '"x"', '{"format": "acutance-run"}']) {
    refused(
      "foreign.json",
      foreign,
      'foreign.json is no profile: it is JSON, but not what "acutance profile --json" writes',
    );
  }
  refused(
    "newer.json",
    whole.replace('"version": 1', '"version": 7'),
    /newer\.json is no profile as .*\n {2}version: /,
  );
  refused(
    "negative.json",
    whole.replace('"calls": 20', '"calls": -20'),
    /negative\.json is no profile as .*\n {2}kernels\.0\.calls: /,
  );
  expect(() => compare([before, folder])).toThrow(`${folder} is no profile: it cannot be read (EISDIR)`);
});

test("shares", () => {
  expect([shareOf("5%"), shareOf("0.5 %"), shareOf("0.2")]).toEqual([0.05, 0.005, 0.2]);
  expect(() => shareOf("five")).toThrow("expected a share");
});
