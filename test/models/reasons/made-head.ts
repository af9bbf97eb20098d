import { classes, type ReasonClass, type ReasonHead } from "../../../models/reasons/head.ts";
import { saveReasons } from "../../../models/reasons/head-file.ts";
import { statisticNames } from "../../../models/reasons/statistics/index.ts";

/** A head that tells the same of every picture. */
export function settledHead(answers: Partial<Record<ReasonClass, number>>, good = 0.65): ReasonHead {
  const inputs = statisticNames.length;
  return {
    mean: new Float32Array(inputs),
    deviation: new Float32Array(inputs).fill(1),
    hidden: { weight: new Float32Array(inputs), bias: new Float32Array(1) },
    output: {
      weight: new Float32Array(classes.length),
      bias: Float32Array.from(classes, (name) => answers[name] ?? -20),
    },
    ...{ temperature: 1, least: 0.3, good },
  };
}

/** The same in a file. */
export async function settledFile(path: string, ...head: Parameters<typeof settledHead>): Promise<string> {
  await saveReasons(path, settledHead(...head), ["made by hand"]);
  return path;
}
