import type { Device } from "../../engine/device/device.ts";
import { Random } from "../../engine/random.ts";
import type { Picture } from "../data/index.ts";
import { reduced } from "../data/pictures/resample.ts";
import { cutPart } from "../views/crops.ts";
import { degradations, encodedAgain } from "./degradations.ts";
import { classes, type ReasonClass } from "./head.ts";
import { longerSide, pictureStatistics, shownForStatistics } from "./statistics/index.ts";

/** What a photograph serves for: its copies teach the weights, choose temperature and threshold, or tell how well that went. */
export type CopyPart = "taught" | "choosing" | "held out";

/** A copy of a photograph with one degradation, or none, as its statistics see it. */
export interface Copy {
  readonly statistics: Float64Array;
  readonly truth: ReasonClass;
  /** Of the degradation; "none" for a clean copy. */
  readonly kind: string;
  /** 1 (mild) to 5 (strong), also between them; 0 for a clean copy. */
  readonly level: number;
}

/** Copies of each class. */
const copiesEach: Readonly<Record<CopyPart, number>> = { taught: 2, choosing: 2, "held out": 2 };

/** Side of the part of a photograph that is degraded to teach with: statistics are means, and a part costs less. */
const partSide = 320;

/**
 * Copies of a photograph, each with one degradation of a drawn kind and level. Those that teach and choose are of a part of the photograph, half of them
 * after it was reduced to some size down to a half; half are encoded again as a JPEG of quality 70 to 95, as pictures that
 * people send are. So are clean copies. Held-out ones are of the whole, at levels 2, 3, 4 or 5, as they come of the degradation.
 * @param name of the photograph: with seed and part it decides what is drawn
 */
export async function copiesOf(
  device: Device,
  photograph: Picture,
  { name, part, seed }: { readonly name: string; readonly part: CopyPart; readonly seed: number },
): Promise<Copy[]> {
  const source = await reduced(photograph, longerSide);
  const copies: Copy[] = [];
  for (const truth of classes) {
    for (let i = 0; i < copiesEach[part]; i++) {
      const random = new Random(seed, `reasons/${part}/${name}/${truth}/${i}`);
      const copy = await copyOf(device, source, { truth, random, varied: part !== "held out" });
      if (copy) copies.push(copy);
    }
  }
  return copies;
}

interface Wanted {
  readonly truth: ReasonClass;
  readonly random: Random;
  readonly varied: boolean;
}

/** Nothing where the copy is too small for statistics. */
async function copyOf(device: Device, source: Picture, { truth, random, varied }: Wanted): Promise<Copy | undefined> {
  let picture = varied ? await partOf(source, random) : source;
  let [kind, level] = ["none", 0];
  if (truth !== "none") {
    const ways = Object.entries(degradations[truth]);
    const [name, degrade] = ways[random.integer(ways.length)]!;
    kind = name;
    level = varied ? 1.5 + 3.5 * random.uniform() : 2 + random.integer(4);
    picture = await degrade(picture, level, { device, random });
  }
  if (varied && random.uniform() < 0.5) picture = await encodedAgain(picture, 70 + random.integer(26));
  const shown = await shownForStatistics(picture);
  return shown && { statistics: pictureStatistics(shown), truth, kind, level };
}

async function partOf(source: Picture, random: Random): Promise<Picture> {
  const longer = Math.max(source.width, source.height);
  const share = random.uniform() < 0.5 ? 0.5 + 0.5 * random.uniform() : 1;
  const whole = await reduced(source, Math.round(share * longer));
  const size = { width: Math.min(partSide, whole.width), height: Math.min(partSide, whole.height) };
  return cutPart(whole, size, { top: random.uniform(), left: random.uniform() });
}
