import { afterAll, expect, test } from "bun:test";
import { noise } from "../../../engine/bench.ts";
import { openDevice } from "../../../engine/device/open.ts";
import { centerCrop, stack } from "../../../engine/ops/pictures/image.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { centrePass, Forward } from "../../../models/networks/forward.ts";
import { QualityNetwork } from "../../../models/networks/model.ts";

const device = await openDevice();
afterAll(() => device.close());

const options = cplOptions({ stages: 1, embedding: 16, levels: 20, resize: 36, crop: 32 });

test("replays of full batches, read late and with parts between, give the bits of recorded passes", async () => {
  const model = new QualityNetwork(device, options);
  const whole = noise(device, [12, 36, 36, 3]);
  const values = await whole.read();
  const picture = (i: number) => {
    const tensor = noise(device, [1, 36, 36, 3]);
    tensor.write(values.slice(i * tensor.size, (i + 1) * tensor.size));
    return tensor;
  };
  const pictures = Array.from({ length: 12 }, (_, i) => picture(i));
  using forward = new Forward(
    device,
    3,
    centrePass(model, ({ logits }) => logits),
  );
  // Full batches 0-4, a part, then full ones again after the plan has gone; nothing is awaited between.
  const batches = [
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 8],
    [9, 10, 11],
    [2, 1, 0],
    [5, 7],
    [8, 6, 4],
    [1, 3, 5],
    [11, 0, 9],
  ];
  const reads = batches.map((batch) =>
    forward.run(
      batch.map((i) => pictures[i]!),
      (logits) => logits.read(),
    ),
  );
  const found = await Promise.all(reads);
  for (const [number, batch] of batches.entries()) {
    const { read } = device.scope(() => {
      const input = centerCrop(stack(batch.map((i) => pictures[i]!)), 32, 32);
      return { read: model.forward(input, false).logits.read() };
    });
    expect(found[number]).toEqual(await read);
  }
  expect(new Set(found.map((logits) => logits[0])).size).toBe(batches.length);
  forward.dispose();
  for (const tensor of [whole, ...pictures]) tensor.dispose();
  model.dispose();
  expect(device.memoryUse.usedBuffers).toBe(0);
});

test("pictures of the network's own size go to it as they are, of larger ones the centre", async () => {
  const model = new QualityNetwork(device, options);
  const pass = centrePass(model, ({ logits }) => logits);
  for (const [side, dispatches] of [
    [32, 0],
    [36, 1],
  ] as const) {
    const pictures = [noise(device, [1, side, side, 3]), noise(device, [1, side, side, 3])];
    const before = device.stream.dispatches;
    const { found } = device.scope(() => ({ found: pass.assemble(pictures).read() }));
    expect(device.stream.dispatches - before).toBe(dispatches);
    const { cut } = device.scope(() => ({ cut: centerCrop(stack(pictures), 32, 32).read() }));
    expect(await found).toEqual(await cut);
    for (const picture of pictures) picture.dispose();
  }
  model.dispose();
});
