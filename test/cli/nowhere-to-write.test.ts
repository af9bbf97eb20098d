import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { collectOutput } from "../../engine/device/collect-output.ts";
import { Cache, cacheTrouble } from "../../engine/tune/cache.ts";
import { cacheFolder } from "../../engine/tune/cache-folder.ts";
import { knownScores } from "../models/scoring/fixtures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const onLinux = test.skipIf(process.platform !== "linux");

let folder = "";
let model = "";
let expected: number[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-nowhere-"));
  const known = await knownScores(folder, 1);
  ({ model, expected } = known);
  await writeFile(join(folder, "a.png"), known.pictures[0]!);
  await chmod(folder, 0o755);
  await chmod(model, 0o644);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Nothing can be made in /proc, by root neither. */
const environments: readonly (readonly [string, Record<string, string>])[] = [
  ["temporary files", { TMPDIR: "/proc", XDG_RUNTIME_DIR: "" }],
  ["a cache", { XDG_CACHE_HOME: "/proc", HOME: "/nonexistent" }],
  ["a home that is no folder", { HOME: main, XDG_CACHE_HOME: "" }],
];

/** The driver's own cache, without which it compiles every kernel anew. */
const compiled = { MESA_SHADER_CACHE_DIR: join(homedir(), ".cache") };

onLinux.each(environments)("pictures are scored without %s", (_, environment) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "score", "a.png", "--json", "--model", model], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, ACUTANCE_CACHE: "", ...compiled, ...environment },
  });
  expect([status, stderr]).toEqual([0, expect.not.stringContaining("Warning: maxDynamic")]);
  expect(JSON.parse(stdout).pictures[0].score).toBe(expected[0]);
});

test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)(
  "pictures are scored for a user without a name, home or environment",
  () => {
    const as = ["--reuid", "12345", "--regid", "12345", "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin"];
    const words = [...as, process.execPath, main, "score", "a.png", "--json", "--model", model];
    const { status, stdout, stderr } = spawnSync("setpriv", words, { cwd: folder, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, expect.any(String)]);
    expect(JSON.parse(stdout).pictures[0].score).toBe(expected[0]);
  },
);

onLinux("doctor says that nothing can be kept", () => {
  const environment = { ...process.env, ACUTANCE_CACHE: "/proc/acutance" };
  const { status, stdout } = spawnSync(process.execPath, [main, "doctor", "--json"], {
    encoding: "utf8",
    env: environment,
  });
  expect(status).toBe(0);
  expect(JSON.parse(stdout).cache).toMatchObject({
    folder: "/proc/acutance",
    trouble: expect.stringContaining("set ACUTANCE_CACHE to another folder"),
  });
});

test("a cache whose folder is a file, and one without a place, read nothing and say what is wrong when they are written", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  const notes: string[] = [];
  const cache = new Cache({
    name: "test",
    version: 1,
    schema: z.string(),
    folder: file,
    onNote: (note) => notes.push(note),
  });
  expect(await cache.read({ a: "b" })).toBeUndefined();
  await cache.write({ a: "b" }, "value");
  expect(notes.at(-1)).toContain("could not be written");
  expect(await cacheTrouble(file)).toContain("cannot be written");
  const made = join(folder, "made");
  expect(await cacheTrouble(made)).toBeUndefined();
  await mkdir(made, { recursive: true });
  expect(cacheFolder({ ACUTANCE_CACHE: made }, "linux")).toBe(made);
});

onLinux("what native code writes is collected without a file, and later output goes its way again", async () => {
  const script = `
    import { collectOutput } from ${JSON.stringify(new URL("../../engine/device/collect-output.ts", import.meta.url).pathname)};
    import { writeSync } from "node:fs";
    const collected = await collectOutput(2);
    writeSync(2, "kept\\n".repeat(20000));
    const text = collected();
    writeSync(2, "after");
    writeSync(1, String(text.length));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
    env: { ...process.env, TMPDIR: "/proc" },
  });
  expect([stdout, stderr]).toEqual(["100000", "after"]);
  expect((await collectOutput(2))()).toBe("");
});

test("a library user hears nothing of Dawn's limits", () => {
  const script = `
    import { openDevice } from ${JSON.stringify(new URL("../../engine/index.ts", import.meta.url).pathname)};
    using device = await openDevice();`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, expect.not.stringContaining("maxDynamic")]);
});

test("devices that are opened at once leave standard error as they found it", () => {
  const script = `
    import { writeSync } from "node:fs";
    import { openDevice } from ${JSON.stringify(new URL("../../engine/index.ts", import.meta.url).pathname)};
    // Later ones are quicker: their beginnings and ends lie across each other.
    using earlier = await openDevice();
    const opened = [1, 2, 3].map(() => openDevice());
    process.stderr.write("first\\n\\n");
    const devices = await Promise.all(opened);
    writeSync(2, "last");
    for (const device of devices) device.close();`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, "first\n\nlast"]);
});
