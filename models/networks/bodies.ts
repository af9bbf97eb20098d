import type { BodyKind } from "./body.ts";
import { branches } from "./branches.ts";
import { dbcnn } from "./dbcnn.ts";
import { hyperIqa } from "./hyperiqa.ts";
import type { NetworkName } from "./options.ts";
import { paired } from "./paired.ts";
import { reIqa, reIqaQuality } from "./reiqa.ts";
import { standard } from "./standard.ts";

/** Every network by the word of the option `network`. */
export const bodies: Readonly<Record<NetworkName, BodyKind>> = {
  standard,
  reiqa: reIqa,
  "reiqa-quality": reIqaQuality,
  dbcnn,
  hyperiqa: hyperIqa,
  paired,
  branches,
};
