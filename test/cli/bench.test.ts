import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { roofsText } from "../../cli/bench-roofs.ts";
import { Cache, deviceKey } from "../../engine/tune/cache.ts";
import { measureRoofs, roofsSchema, roofsVersion } from "../../engine/tune/roofs.ts";
import { sharedDevice } from "../engine/device.ts";

const folder = mkdtempSync(join(tmpdir(), "acutance-bench-"));
afterAll(() => rmSync(folder, { recursive: true }));
const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

test("bench roofs prints what another process has measured on this adapter", async () => {
  const device = await sharedDevice();
  const roofs = await measureRoofs(device, { runs: 1, leastMs: 0.5, sizes: [2 ** 14] });
  const cache = new Cache({ name: "roofs", version: roofsVersion, schema: roofsSchema, folder });
  await cache.write(deviceKey(device), roofs);
  const { status, stdout } = spawnSync(process.execPath, [main, "bench", "roofs", "--json"], {
    encoding: "utf8",
    env: { ...process.env, ACUTANCE_CACHE: folder },
  });
  expect(status).toBe(0);
  const printed = JSON.parse(stdout);
  expect(printed.roofs).toEqual(roofs);

  const text = roofsText(roofs, printed.machine);
  expect(text).toContain(printed.machine);
  expect(text).toContain("copy in 32 KiB (read + write)");
  expect(text).toMatch(/^multiply-adds, f32 .* GFLOP\/s {2}vec4 chains: \d, workgroup: \d+$/m);
  expect(text).toContain(roofs.clock.source === "timestamp" ? "timestamps in steps of" : "the host's clock");
  const quantised = { ...roofs, clock: { source: "timestamp", stepNanoseconds: 65536 } } as const;
  expect(roofsText(quantised, "")).toContain("steps of 65536 ns: the provider quantises them");
});
