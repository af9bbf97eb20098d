import type { Method } from "../training/method.ts";
import { adaMatch } from "./adamatch/index.ts";
import { coMatch } from "./comatch/index.ts";
import { cpl } from "./cpl/index.ts";
import { crMatch } from "./crmatch/index.ts";
import { dbCnn } from "./dbcnn/index.ts";
import { dbCnnScnn } from "./dbcnn-scnn/index.ts";
import { deFixMatch } from "./defixmatch/index.ts";
import { fixMatch } from "./fixmatch/index.ts";
import { flexMatch } from "./flexmatch/index.ts";
import { freeMatch } from "./freematch/index.ts";
import { hyperIqaMethod as hyperIqa } from "./hyperiqa/index.ts";
import { kernelRidge } from "./kernel-ridge/index.ts";
import { nima } from "./nima/index.ts";
import { rankUp } from "./rankup/index.ts";
import { reIqa } from "./reiqa/index.ts";
import { reIqaQuality } from "./reiqa-quality/index.ts";
import { semiIqa } from "./semi-iqa/index.ts";
import { simMatch } from "./simmatch/index.ts";
import { softMatch } from "./softmatch/index.ts";
import { ssliqaLike } from "./ssliqa-like/index.ts";
import { supervised } from "./supervised/index.ts";

export {
  adaMatch,
  coMatch,
  cpl,
  crMatch,
  dbCnn,
  dbCnnScnn,
  deFixMatch,
  fixMatch,
  flexMatch,
  freeMatch,
  hyperIqa,
  kernelRidge,
  nima,
  rankUp,
  reIqa,
  reIqaQuality,
  semiIqa,
  simMatch,
  softMatch,
  ssliqaLike,
  supervised,
};

/** Every method; `acutance train` has a command for each. */
export const methods: readonly Method[] = [
  cpl,
  supervised,
  fixMatch,
  adaMatch,
  coMatch,
  freeMatch,
  simMatch,
  softMatch,
  flexMatch,
  deFixMatch,
  crMatch,
  rankUp,
  kernelRidge,
  reIqa,
  reIqaQuality,
  nima,
  dbCnn,
  dbCnnScnn,
  semiIqa,
  ssliqaLike,
  hyperIqa,
];
