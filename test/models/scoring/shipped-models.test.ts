import { expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import sharp from "sharp";
import { demoScenes } from "../../../models/demo.ts";
import { openScorer } from "../../../models/scoring/scorer.ts";
import { defaultModel, isShipped, modelPath } from "../../../models/scoring/shipped-models.ts";
import { referencePercentile } from "../../../models/trust/reference.ts";
import { sharedDevice } from "../../engine/device.ts";

test("the word fast stands for the smaller model, and for nothing else", () => {
  const fast = modelPath("fast");
  expect(fast).toEndWith("livec-v2-fast.safetensors");
  expect(["./fast", "fast.safetensors", "toString", ""].map(modelPath)).toEqual([
    "./fast",
    "fast.safetensors",
    "toString",
    "",
  ]);
  expect([fast, defaultModel, "fast", "mine.safetensors"].map(isShipped)).toEqual([true, true, false, false]);
});

test("the fast model is smaller than the default, on its scale, and gives less for blur, with an interval and how typical the picture is", async () => {
  expect((await stat(modelPath("fast"))).size).toBeLessThan((await stat(defaultModel)).size);
  const device = await sharedDevice();
  await using fast = await openScorer({ device, model: "fast" });
  await using whole = await openScorer({ device });
  expect(fast.name).toBe("livec-v2-fast");
  expect(fast.card.range).toEqual(whole.card.range);
  for (const { bytes } of await demoScenes({ side: 240, perPhotograph: 1 })) {
    const raw = { raw: { width: 240, height: 240, channels: 3 } } as const;
    const clean = sharp(bytes, raw);
    const blurred = sharp(await sharp(bytes, raw).blur(4).raw().toBuffer(), raw);
    const [better, worse] = [await fast.score(clean), await fast.score(blurred)];
    expect(worse.score).toBeLessThan(better.score - 5);
    expect(better.interval).toBeDefined();
    expect(better.typicality).toBeDefined();
    const [place, lower] = [better, worse].map(({ score }) =>
      referencePercentile(score, fast.companions.reference!.facts),
    );
    expect(lower!).toBeLessThan(place!);
  }
  expect(whole.companions.reference!.facts.pictures).toBe(400);
});
