import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, PictureStore, upload } from "../../../models/data/index.ts";
import { sharedDevice } from "../../engine/device.ts";
import { blurredPictures } from "../training/pictures.ts";

test("a batch of pictures lives as long as it is in use, whatever the cache, and errors come in their place", async () => {
  const device = await sharedDevice();
  const folder = await mkdtemp(join(tmpdir(), "acutance-store-"));
  try {
    const rows = await blurredPictures(folder, 9);
    // The device keeps the resize tables of this size: made here, they are not counted below.
    upload(device, await decode(rows[0]!.path), 16).dispose();
    const before = device.memoryUse.usedBuffers;
    const store = new PictureStore(device, 16, 4, 0);
    const means: number[] = [];
    let batch: Float32Array[] = [];
    const list = [...rows.slice(0, 4), { path: join(folder, "absent.png") }, ...rows.slice(4), ...rows];
    const seen: string[] = [];
    const held = [];
    for await (const loaded of store.load(list)) {
      if ("error" in loaded) {
        seen.push("error");
        continue;
      }
      seen.push("picture");
      held.push(loaded.tensor);
      if (held.length < 4) continue;
      batch = await Promise.all(held.splice(0).map((tensor) => tensor.read()));
      for (const data of batch) means.push(data.reduce((sum, value) => sum + value, 0) / data.length);
      expect(device.memoryUse.usedBuffers - before).toBe(4);
    }
    expect(seen.indexOf("error")).toBe(4);
    expect(seen).toHaveLength(19);
    // The second walk decodes pictures that were dropped in the first, to the same numbers.
    means.slice(9).forEach((mean, i) => {
      expect(mean).toBe(means[i]!);
    });
    store.dispose();
    expect(device.memoryUse.usedBuffers).toBe(before);
  } finally {
    await rm(folder, { recursive: true });
  }
});
