import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { FolderBusyError, FolderLock } from "../../../models/training/folder-lock.ts";
import { expiryMs, type Owner, sameOwner, stillHolds, thisProcess } from "../../../models/training/owner.ts";
import { runId, sameSplit } from "../../../models/training/run-id.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "acutance-lock-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const module = new URL("../../../models/training/folder-lock.ts", import.meta.url).href;

/** A process that takes a folder and says so, then waits. */
async function holder(folder: string): Promise<ChildProcess> {
  const code = `import { FolderLock } from ${JSON.stringify(module)};
    const lock = await FolderLock.take(${JSON.stringify(folder)}); console.log("held"); setInterval(() => lock, 1000);`;
  const file = join(root, `holder-${Math.random()}.mjs`);
  await writeFile(file, code);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout!, "data");
  return child;
}

const lockOf = (folder: string) => join(folder, "training.lock");
const contentOf = async (folder: string) => JSON.parse(await readFile(lockOf(folder), "utf8"));

async function foreign(folder: string, change: Partial<Owner>, renewedMs = Date.now()): Promise<void> {
  await mkdir(folder, { recursive: true });
  const content = { ...thisProcess(), since: new Date(renewedMs).toISOString(), token: "x", ...change };
  await writeFile(lockOf(folder), JSON.stringify(content));
  await utimes(lockOf(folder), new Date(renewedMs), new Date(renewedMs));
}

describe("a folder's lock", () => {
  test("names its owner, keeps a second out of the folder, and is gone afterwards", async () => {
    const folder = join(root, "one", "deep");
    {
      await using _lock = await FolderLock.take(folder);
      expect(await contentOf(folder)).toMatchObject({ host: hostname(), pid: process.pid });
      const second = FolderLock.take(folder);
      await expect(second).rejects.toThrow(FolderBusyError);
      await expect(second).rejects.toThrow(`process ${process.pid} has trained into it since`);
      await expect(FolderLock.expectFree(folder)).rejects.toThrow("is in use");
      await writeFile(join(folder, "kept"), "");
    }
    expect(await readdir(folder)).toEqual(["kept"]);
    await FolderLock.expectFree(folder);
    await (await FolderLock.take(folder))[Symbol.asyncDispose]();
  });

  test("a folder made for nothing is removed", async () => {
    await (await FolderLock.take(join(root, "nothing")))[Symbol.asyncDispose]();
    expect(existsSync(join(root, "nothing"))).toBe(false);
  });

  test("a living process elsewhere keeps it, however long it has not renewed; a killed one loses it at once", async () => {
    const folder = join(root, "killed");
    const child = await holder(folder);
    const old = new Date(Date.now() - 10 * expiryMs);
    await utimes(lockOf(folder), old, old);
    await expect(FolderLock.take(folder)).rejects.toThrow(`process ${child.pid} has trained`);
    child.kill("SIGSTOP");
    await expect(FolderLock.take(folder)).rejects.toThrow(`process ${child.pid} has trained`);
    child.kill("SIGKILL");
    await once(child, "exit");
    const lines: string[] = [];
    await using lock = await FolderLock.take(folder, (line) => lines.push(line));
    lock.expectHeld();
    expect(lines.join()).toContain(`process ${child.pid} has ended without removing it`);
  });

  test.skipIf(process.platform !== "linux")("a number that lives on as another process's is no owner", async () => {
    const folder = join(root, "reused");
    const { started } = thisProcess();
    await foreign(folder, { started: `${started}0` });
    await using lock = await FolderLock.take(folder);
    lock.expectHeld();
  });

  test("one of another computer holds as long as it renews", async () => {
    const folder = join(root, "elsewhere");
    await foreign(folder, { host: "elsewhere" });
    await expect(FolderLock.take(folder)).rejects.toThrow(`process ${process.pid} on elsewhere`);
    await foreign(folder, { host: "elsewhere" }, Date.now() - expiryMs - 1000);
    await using lock = await FolderLock.take(folder);
    await lock.renew();
    lock.expectHeld();
  });

  test("a lock that says nothing counts by its age", async () => {
    const folder = join(root, "damaged");
    await mkdir(folder);
    await writeFile(lockOf(folder), "{");
    await expect(FolderLock.take(folder)).rejects.toThrow("another training has it");
    const old = new Date(Date.now() - expiryMs - 1000);
    await utimes(lockOf(folder), old, old);
    await using lock = await FolderLock.take(folder);
    lock.expectHeld();
  });

  test("an owner notices that it was taken over, or its lock removed, and leaves the other's alone", async () => {
    for (const loss of ["taken", "removed"]) {
      const folder = join(root, `lost-${loss}`);
      const lock = await FolderLock.take(folder);
      if (loss === "taken") await foreign(folder, { host: "elsewhere" });
      else await rm(lockOf(folder));
      await lock.renew();
      expect(() => lock.expectHeld()).toThrow("is no longer this training's");
      await lock[Symbol.asyncDispose]();
      expect(existsSync(lockOf(folder))).toBe(loss === "taken");
    }
  });

  test("of many at once one gets it", async () => {
    const folder = join(root, "many");
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => FolderLock.take(folder)));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const ended = join(root, "many-ended");
    await foreign(ended, { host: "elsewhere" }, 0);
    const again = await Promise.allSettled(Array.from({ length: 20 }, () => FolderLock.take(ended)));
    expect(again.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("what killed processes left while they took it is removed", async () => {
    const folder = join(root, "leftovers");
    await mkdir(folder);
    const ended = spawn("true");
    await once(ended, "exit");
    const [empty, whole] = [`training.lock.${ended.pid}.1`, `training.lock.${ended.pid}.2`];
    await writeFile(join(folder, empty), "");
    await writeFile(join(folder, whole), JSON.stringify({ ...thisProcess(), pid: ended.pid, since: "", token: "x" }));
    await writeFile(join(folder, `training.lock.${process.pid}.3`), "");
    await using _lock = await FolderLock.take(folder);
    expect((await readdir(folder)).sort()).toEqual(["training.lock", `training.lock.${process.pid}.3`]);
  });

  test("renewal moves the time on", async () => {
    const owner = thisProcess();
    expect(stillHolds({ ...owner, started: null }, Date.now())).toBe(true);
    expect(stillHolds({ ...owner, host: "elsewhere" }, Date.now() - expiryMs - 1)).toBe(false);
    expect(sameOwner(owner, { ...owner })).toBe(true);
  });
});

test("a run id names parts and settings", () => {
  const rows = [{ name: "a", mos: 1 }, { name: "b" }];
  const one = runId({ parts: { labelled: rows, test: [] }, settings: { seed: 1 } });
  expect(one).toMatch(/^[0-9a-f]{12}-[0-9a-f]{12}$/);
  expect(runId({ parts: { labelled: [...rows], test: [] }, settings: { seed: 1 } })).toBe(one);
  const seed = runId({ parts: { labelled: rows, test: [] }, settings: { seed: 2 } });
  expect([seed === one, sameSplit(seed, one)]).toEqual([false, true]);
  const other = runId({ parts: { labelled: [], test: rows }, settings: { seed: 1 } });
  expect(sameSplit(other, one)).toBe(false);
});
