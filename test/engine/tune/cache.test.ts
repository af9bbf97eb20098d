import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { Cache, deviceKey } from "../../../engine/tune/cache.ts";
import { cacheFolder } from "../../../engine/tune/cache-folder.ts";
import { plainDevice, sharedDevice } from "../device.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-cache-"));
afterAll(() => rmSync(folder, { recursive: true }));

const schema = z.strictObject({ tile: z.number().int() });
const key = { adapter: "one", kernel: "matmul" };
const notes: string[] = [];
const open = (version = 1, name = "tuning", at = folder) =>
  new Cache({ name, version, schema, folder: at, onNote: (note) => notes.push(note) });

beforeEach(() => {
  notes.length = 0;
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
});

describe("cached values", () => {
  test("come back as they were written, without regard to the order of the key", async () => {
    expect(await open().read(key)).toBeUndefined();
    await open().write(key, { tile: 8 });
    await open().write({ ...key, adapter: "two" }, { tile: 16 });
    await open().write(key, { tile: 32 });
    expect(await open().read({ kernel: "matmul", adapter: "one" })).toEqual({ tile: 32 });
    expect(await open().read({ ...key, adapter: "two" })).toEqual({ tile: 16 });
    expect(await open().read({ ...key, adapter: "three" })).toBeUndefined();
    expect(readdirSync(join(folder, "tuning"))).toHaveLength(2);
    expect(notes).toEqual([]);
  });

  test.each([
    ["cut short", (text: string) => text.slice(0, text.length / 2), "JSON"],
    ["empty", () => "", "JSON"],
    ["of another form", () => "[]", "expected object"],
    ["with a value of another form", (text: string) => text.replace('"tile": 8', '"tile": "8"'), "expected number"],
    ["with more than the value", (text: string) => text.replace('"tile": 8', '"tile": 8, "rows": 2'), '"rows"'],
  ])("are ignored with a note and replaced when the file is %s", async (_, spoil, reason) => {
    const cache = open();
    await cache.write(key, { tile: 8 });
    writeFileSync(cache.path(key)!, spoil(readFileSync(cache.path(key)!, "utf8")));
    expect(await cache.read(key)).toBeUndefined();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain(cache.path(key)!);
    expect(notes[0]).toContain(reason);
    await cache.write(key, { tile: 4 });
    expect(await cache.read(key)).toEqual({ tile: 4 });
    expect(notes).toHaveLength(1);
  });

  test("of another key, version or kind are not used, even under the right file name", async () => {
    const [mine, other] = [open(), { ...key, adapter: "two" }];
    await mine.write(other, { tile: 8 });
    copyFileSync(mine.path(other)!, mine.path(key)!);
    expect(await mine.read(key)).toBeUndefined();
    expect(notes.pop()).toContain('its adapter is "two", not "one"');

    await mine.write(key, { tile: 8 });
    expect(await open(2).read(key)).toBeUndefined();
    expect(notes.pop()).toContain("tuning of version 1, not tuning of version 2");

    const more = { ...key, driver: "3" };
    copyFileSync(mine.path(key)!, mine.path(more)!);
    expect(await mine.read(more)).toBeUndefined();
    expect(notes.pop()).toContain('its driver is absent, not "3"');

    const roofs = open(1, "roofs");
    mkdirSync(dirname(roofs.path(key)!), { recursive: true });
    copyFileSync(mine.path(key)!, roofs.path(key)!);
    expect(await roofs.read(key)).toBeUndefined();
    expect(notes.pop()).toContain("tuning of version 1, not roofs of version 1");
  });

  test("that cannot be written are a note, no failure", async () => {
    writeFileSync(join(folder, "file"), "");
    await open(1, "tuning", join(folder, "file")).write(key, { tile: 8 });
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain("could not be written");
  });
});

test("the folder is the system's, unless ACUTANCE_CACHE names another", () => {
  expect(cacheFolder({ ACUTANCE_CACHE: "/c", XDG_CACHE_HOME: "/x" }, "linux")).toBe(resolve("/c"));
  expect(cacheFolder({ XDG_CACHE_HOME: "/x" }, "linux")).toBe(join("/x", "acutance"));
  for (const XDG_CACHE_HOME of ["", "relative", undefined]) {
    expect(cacheFolder({ XDG_CACHE_HOME, ACUTANCE_CACHE: "" }, "linux")).toBe(join(homedir(), ".cache", "acutance"));
  }
  expect(cacheFolder({ XDG_CACHE_HOME: "/x" }, "darwin")).toBe(join(homedir(), "Library", "Caches", "acutance"));
  expect(cacheFolder({ LOCALAPPDATA: "/local" }, "win32")).toBe(join("/local", "acutance", "cache"));
  expect(cacheFolder({}, "win32")).toContain("AppData");
});

test("the key of a device tells adapters, drivers and allowed features apart", async () => {
  const [shared, plain] = await Promise.all([sharedDevice(), plainDevice()]);
  const sharedKey = deviceKey(shared);
  expect(sharedKey["description"]).toBe(shared.info.description);
  expect(sharedKey["provider"]).toMatch(/ \d+\.\d+/);
  expect(deviceKey(plain)).toEqual({
    ...sharedKey,
    features: deviceKey(plain)["features"]!,
    subgroupSize: String(plain.subgroupSize),
    maximumBindingBytes: String(plain.maximumBindingBytes),
  });
  expect(deviceKey(plain)["features"]).not.toContain("shader-f16");
});
