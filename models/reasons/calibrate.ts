import type { Copy } from "./copies.ts";
import { answer, classes, softened, standardised, toldReasons } from "./head.ts";
import type { TrainedHead } from "./train-head.ts";

/** Of clean copies at most such a share may be told a reason. */
const mostFalse = 0.1;
/** A reason below it is not told in any case. */
const leastProbability = 0.3;

/**
 * The temperature with the least mean of −ln p of the truth (Guo et al. 2017), and the least probability, of a reason that is told,
 * at which a reason is told for at most a tenth of the clean copies.
 */
export function calibrated(head: TrainedHead, copies: readonly Copy[]): { temperature: number; least: number } {
  const rows = copies.map(({ statistics, truth }) => ({
    answers: answer(head, standardised(head, statistics)),
    truth: classes.indexOf(truth),
  }));
  const loss = (temperature: number) =>
    rows.reduce((sum, { answers, truth }) => sum - Math.log(softened(answers, temperature)[truth]! + 1e-300), 0);
  const temperatures = Array.from({ length: 121 }, (_, i) => 10 ** ((i - 60) / 60));
  const temperature = temperatures.reduce((best, next) => (loss(next) < loss(best) ? next : best));
  const clean = rows.filter(({ truth }) => truth === 0).map(({ answers }) => softened(answers, temperature));
  const told = (least: number) => clean.filter((row) => toldReasons(row, least).length > 0).length / clean.length;
  let least = leastProbability;
  while (least < 0.95 && told(least) > mostFalse) least += 0.01;
  return { temperature, least: Number(least.toFixed(2)) };
}
