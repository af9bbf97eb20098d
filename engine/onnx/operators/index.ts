import type { Operators } from "../call.ts";
import { binaryOperators } from "./binary.ts";
import { boxOperators } from "./boxes.ts";
import { constantOperators } from "./constants.ts";
import { convOperators } from "./conv.ts";
import { gatherOperators } from "./gather.ts";
import { logicOperators } from "./logic.ts";
import { lossOperators } from "./loss.ts";
import { matmulOperators } from "./matmul.ts";
import { normOperators } from "./norm.ts";
import { orderOperators } from "./order.ts";
import { partOperators } from "./parts.ts";
import { poolOperators } from "./pool.ts";
import { quantiseOperators } from "./quantise.ts";
import { reduceOperators } from "./reduce.ts";
import { resizeOperators } from "./resize.ts";
import { sampleOperators } from "./sample.ts";
import { shapeOperators } from "./shape.ts";
import { signalOperators } from "./signal.ts";
import { unaryOperators } from "./unary.ts";

/** Every operator that a graph may have, by its name in the specification; `If` and `Loop` are the executor's. */
export const operators: Operators = {
  ...binaryOperators,
  ...boxOperators,
  ...constantOperators,
  ...convOperators,
  ...gatherOperators,
  ...logicOperators,
  ...lossOperators,
  ...matmulOperators,
  ...normOperators,
  ...orderOperators,
  ...partOperators,
  ...poolOperators,
  ...quantiseOperators,
  ...reduceOperators,
  ...resizeOperators,
  ...sampleOperators,
  ...shapeOperators,
  ...signalOperators,
  ...unaryOperators,
};
