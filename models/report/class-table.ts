import type { ClassEvaluation } from "../metrics/index.ts";
import type { ClassResult } from "../training/class-results.ts";
import { capital, decimals, numberOf, pictureCount } from "./report-parts.ts";

/** With more classes than these, a table has only the constants that matter. */
const mostConstants = 8;

/**
 * Agreement of classes, one column for each model and constant predictor: accuracy, macro-F1, kappa, and the mean absolute
 * error over all pictures, also of the expected classes, those of each true class and those of the two highest.
 * @param results of the same pictures, at least one
 */
export function classTable(results: readonly ClassResult[]): { headers: string[]; rows: string[][] } {
  const last = results.at(-1)!;
  const columns = [
    ...results.map(({ name, evaluation }) => ({ name, evaluation })),
    ...constantsShown(last).map((constant) => ({
      name: `always ${constant.class}${constant.class === last.mostFrequent ? " (most labelled)" : ""}`,
      evaluation: constant.evaluation,
    })),
  ];
  const { classes, n } = last.evaluation;
  const row = (title: string, count: number, value: (evaluation: ClassEvaluation) => unknown) => [
    title,
    decimals(count, 0),
    ...columns.map(({ evaluation }) => decimals(value(evaluation), 3)),
  ];
  const highest = classes.slice(-2).reduce((sum, { n }) => sum + n, 0);
  return {
    headers: ["measure", "n", ...columns.map(({ name }) => name)],
    rows: [
      row("accuracy", n, ({ accuracy }) => accuracy),
      row("macro-F1", n, ({ macroF1 }) => macroF1),
      row("quadratic kappa", n, ({ quadraticKappa }) => quadraticKappa),
      row("MAE", n, ({ mae }) => mae),
      row("MAE of the expectation", n, ({ maeOfExpectation }) => maeOfExpectation),
      ...classes.map((own, c) => row(`MAE, class ${c}`, own.n, (evaluation) => evaluation.classes[c]?.mae)),
      row(`MAE, ${placeName("highest two", classes.length)}`, highest, ({ maeOfHighestTwo }) => maeOfHighestTwo),
    ],
  };
}

/**
 * Says whether a model beats always answering one class, over all pictures and in each class. A constant is always right in
 * its own class, which does not count.
 */
export function constantsSentence({ name, evaluation, constants, unbeaten }: ClassResult): string {
  const best = constants.reduce((a, b) => (b.evaluation.mae < a.evaluation.mae ? b : a));
  const [own, floor] = [evaluation.mae, best.evaluation.mae].map((mae) => decimals(mae, 3));
  const pictures = pictureCount(evaluation.n);
  const beaten = !unbeaten.some(({ place }) => place === "all");
  const overall = beaten
    ? `${capital(name)} beats every constant predictor: MAE ${own} over ${pictures} against ${floor} of always answering class ${best.class}.`
    : `${capital(name)} does not beat always answering class ${best.class}: MAE ${own} over ${pictures} against ${floor}.`;
  const places = unbeaten.filter(({ place }) => place !== "all");
  if (places.length === 0) return `${overall} In no class is the constant of another as good.`;
  const listed = places.map(
    ({ place, constant, constantMae, mae }) =>
      `${placeName(place, evaluation.classes.length)} (always ${constant}: ${decimals(constantMae, 3)} against ${decimals(mae, 3)})`,
  );
  return `${overall} A constant is at least as good in ${listed.join(", ")}.`;
}

function placeName(place: number | string, classes: number): string {
  return place === "highest two" ? `classes ${classes - 2} and ${classes - 1} together` : `class ${place}`;
}

/** All, or of many classes the best over all pictures and that of the most frequent class. */
function constantsShown({ constants, mostFrequent }: ClassResult): ClassResult["constants"] {
  if (constants.length <= mostConstants) return constants;
  const least = Math.min(...constants.map(({ evaluation }) => numberOf(evaluation.mae)));
  return constants.filter((own) => own.evaluation.mae === least || own.class === mostFrequent);
}
