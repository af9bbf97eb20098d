import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runArguments } from "../../../engine/device/check.ts";
import { Random } from "../../../engine/random.ts";
import { openSafetensors, toFloat32 } from "../../../engine/weights/safetensors.ts";

const script = new URL("./writing-process.ts", import.meta.url).pathname;

test("a process killed while it writes leaves the file of one writing, whole, and one temporary at most", async () => {
  const folder = await mkdtemp(join(tmpdir(), "acutance-kill-"));
  const path = join(folder, "checkpoint.safetensors");
  const random = new Random(3, "kills");
  let interrupted = 0;
  let number = 0;
  try {
    for (let kill = 0; kill < 20; kill++) {
      const child = spawn(process.execPath, [...runArguments(), script, path, String(number)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exit = once(child, "exit");
      await once(child.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, 12 * random.uniform()));
      child.kill("SIGKILL");
      expect(await exit).toEqual([null, "SIGKILL"]);
      const temporaries = (await readdir(folder)).filter((name) => name.endsWith(".tmp"));
      expect(temporaries.length).toBeLessThanOrEqual(1);
      interrupted += temporaries.length;
      expect(existsSync(path)).toBe(true);
      await using file = await openSafetensors(path);
      const found = Number(file.metadata.get("number"));
      expect(found).toBeGreaterThanOrEqual(number);
      for (const name of ["a", "b", "c"]) {
        const values = toFloat32(await file.read(name));
        expect(values).toHaveLength(20_000);
        expect(values.every((value) => value === found)).toBe(true);
      }
      number = found + 1;
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  // Otherwise no kill fell into a writing, and nothing was shown.
  expect(interrupted).toBeGreaterThan(0);
});
