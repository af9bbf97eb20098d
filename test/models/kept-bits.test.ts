import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Safetensors } from "../../engine/weights/safetensors.ts";
import { trainCpl } from "../../models/methods/cpl/index.ts";
import { openScorer } from "../../models/scoring/scorer.ts";
import { sharedDevice } from "../engine/device.ts";
import { blurredPictures, divided, small } from "./training/pictures.ts";

/** Bits are those of one adapter: each computes in its own order. */
const adapter = "llvmpipe: Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6) 0.0.1";
const device = await sharedDevice();

test.skipIf(device.info.description !== adapter)(
  `trainings and scores keep their bits from one version to the next (${adapter})`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "acutance-kept-"));
    try {
      const rows = await blurredPictures(join(folder, "pictures"), 25);
      const epochs = { stageOneEpochs: 2, stageTwoEpochs: 2, schedule: "cosine", ema: 0.9, microBatch: 3 } as const;
      const { model } = await trainCpl(device, divided(rows), { ...small, ...epochs }, { folder });
      model.dispose();
      const bits = async (name: string) => {
        const hash = createHash("sha256");
        const file = new Safetensors(await readFile(join(folder, name)));
        for (const tensor of [...file.tensors.keys()].sort()) hash.update(tensor).update(file.get(tensor).bytes);
        return hash.digest("hex").slice(0, 16);
      };
      await using scorer = await openScorer({ device });
      const scores: number[] = [];
      for await (const scored of scorer.scoreMany(rows.slice(0, 3).map(({ path }) => path)))
        scores.push("score" in scored ? scored.score : Number.NaN);
      expect([await bits("stage1.safetensors"), await bits("model.safetensors"), ...scores]).toEqual([
        "f733795a1c492092",
        "210fcd8e418d3db5",
        0.6047487056405476,
        0.5253689770950173,
        0.5508678823912319,
      ]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
