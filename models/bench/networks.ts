import { type Benchmark, noise, time } from "../../engine/bench.ts";
import { scale } from "../../engine/ops/unary.ts";
import { Forward } from "../networks/forward.ts";
import { QualityNetwork } from "../networks/model.ts";
import { type ModelOptions, modelOptions } from "../networks/options.ts";

/** Networks as they score a picture, the plain ResNet-18 first. */
const networks: readonly (readonly [name: string, options: Record<string, unknown>])[] = [
  ["ResNet-18", {}],
  ["Re-IQA of two ResNet-18", { network: "reiqa", embedding: 0, head: "score" }],
  ["Re-IQA of two ResNet-50", { network: "reiqa", backbone: "resnet50", embedding: 0, head: "score" }],
  ["DB-CNN of VGG-16", { network: "dbcnn", backbone: "vgg16", head: "score" }],
  ["DB-CNN of ResNet-18", { network: "dbcnn", head: "score" }],
  ["HyperIQA of ResNet-50", { network: "hyperiqa", backbone: "resnet50", head: "score" }],
  ["HyperIQA of ResNet-18", { network: "hyperiqa", head: "score" }],
];

/** Pictures a second of every network, of those that are on the device already. @param batch pictures at once @param side pixels */
export function networkBenchmarks(batch: number, side: number): Benchmark[] {
  return networks.map(([name, options]) =>
    forwardBenchmark(name, batch, modelOptions({ ...options, crop: side, resize: side })),
  );
}

function forwardBenchmark(network: string, batch: number, options: ModelOptions): Benchmark {
  const name = `${network}: forward, ${batch} pictures at ${options.crop}`;
  return {
    name,
    async measure(device, runs) {
      const model = new QualityNetwork(device, options);
      const { crop } = options;
      using pictures = device.owned("pictures", () => noise(device, [batch, crop, crop, 3]));
      using forward = new Forward(device, 1, {
        // A batch of its own, as of pictures that were loaded.
        assemble: () => scale(pictures, 1),
        run: (input) => model.forward(input, false).logits,
      });
      const run = () => forward.run([pictures], (output) => output.read());
      try {
        // The first is recorded, the second traced; what is measured are replays.
        for (let i = 0; i < 2; i++) await run();
        const result = await time(device, name, runs, undefined, run);
        const perSecond = (1000 * batch) / result.medianMs;
        return { ...result, note: `${perSecond.toPrecision(3)} pictures/s` };
      } finally {
        model.dispose();
      }
    },
  };
}
