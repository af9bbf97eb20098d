import { type Benchmark, noise, time, withTensors } from "./bench.ts";
import { type Arrangement, arrange, arrangePacked } from "./ops/pictures/arrange.ts";
import { changeLevels, type LevelOperation } from "./ops/pictures/levels.ts";

const images = 8;

const viewSize = { picture: 256, side: 224 } as const;

/** Views of pictures with every step, half of them resized. */
function pictureViews(): Benchmark {
  const { picture, side } = viewSize;
  const views = Array.from({ length: images }, (_, n): Arrangement => {
    const extent = n % 2 === 0 ? side : 190;
    return {
      part: { top: n, left: 2 * n, height: extent, width: extent },
      flip: n % 3 === 0,
      down: 5 * n,
      right: -3 * n,
      quarters: n % 4,
      patches: [2, 0, 3, 1],
      hole: { top: 20, left: 30, height: 60, width: 60 },
    };
  });
  const read = views.reduce((sum, { part }) => sum + part.height * part.width, 0);
  const bytes = 4 * 3 * (read + images * side ** 2);
  const name = `arranged views of ${picture} at ${side}, batch ${images}`;
  return withTensors(name, [[images, picture, picture, 3]], { flops: 0, bytes }, (x) => arrange(x!, views, side));
}

/** Changes of packed pictures, which are read and written by each pass, the last time as numbers. */
function levelChanges(name: string, passes: number, changes: readonly (readonly LevelOperation[])[]): Benchmark {
  const { side } = viewSize;
  const part = { top: 0, left: 0, height: side, width: side };
  const bytes = 4 * images * side ** 2 * (2 * passes + 2);
  return {
    name,
    async measure(device, runs) {
      const pictures = noise(device, [images, side, side, 3]);
      const packed = device.scope(() => arrangePacked(pictures, Array(images).fill({ part }), side)).keep();
      const result = await time(device, name, runs, { flops: 0, bytes }, () => changeLevels(packed, changes));
      for (const tensor of [pictures, packed]) tensor.dispose();
      return result;
    },
  };
}

/** Three operations, of other kinds in each picture, some with histograms. */
function threeChanges(): Benchmark {
  const names = ["equalize", "rotate", "sharpness", "contrast", "shearX", "color"] as const;
  const changes = Array.from({ length: images }, (_, n) =>
    [0, 1, 2].map((pass) => ({ name: names[(n + pass) % names.length]!, amount: 0.25 })),
  );
  return levelChanges(`three changes of levels at ${viewSize.side}, batch ${images}`, 3, changes);
}

function rescaledParts(): Benchmark {
  const part = { top: 20, left: 20, height: 184, width: 184 };
  const change: readonly LevelOperation[] = [{ name: "rescale", part, filter: "lanczos" }];
  const name = `parts of levels rescaled to ${viewSize.side} by Lanczos' filter, batch ${images}`;
  return levelChanges(name, 2, Array(images).fill(change));
}

/** What `acutance bench` measures of views of pictures. */
export const pictureBenchmarks: readonly Benchmark[] = [pictureViews(), threeChanges(), rescaledParts()];
