import type { Benchmark } from "../../engine/bench.ts";
import type { Device } from "../../engine/device/device.ts";
import { Random } from "../../engine/random.ts";
import { type DistortionName, distort, distortionNames, fromBytes } from "../data/degraded/distortions.ts";

/** Size of KADID-10k's pictures. */
const [height, width] = [384, 512];

/** A picture with shades, edges and some noise: codecs and palettes take their time by what they see. */
function picture(device: Device) {
  const random = new Random(1, "bench/distortions");
  const bytes = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    const shade = 128 + 70 * Math.sin(x / 40 + c) * Math.cos(y / 55) + (Math.hypot(x - 256, y - 192) < 120 ? 35 : -20);
    return Math.max(0, Math.min(255, shade + (random.word() % 16)));
  });
  return fromBytes(device, bytes, height, width);
}

function benchmark(kind: DistortionName): Benchmark {
  const name = `distortion ${kind}, level 3, ${width} x ${height}`;
  return {
    name,
    async measure(device, runs) {
      using x = picture(device);
      const once = async () => {
        const start = performance.now();
        const y = await distort(x, kind, 3, 1, { levels: "kadid" });
        y.dispose();
        await device.finish();
        return performance.now() - start;
      };
      await once();
      const times: number[] = [];
      for (let i = 0; i < runs; i++) times.push(await once());
      times.sort((a, b) => a - b);
      return { name, medianMs: times[Math.floor(runs / 2)]!, leastMs: times[0]!, mostMs: times.at(-1)! };
    },
  };
}

/** One picture by each distortion, what is done on the host included. */
export const distortionBenchmarks: readonly Benchmark[] = distortionNames.map(benchmark);
