import { decimals, duration, numberOf } from "../report-parts.ts";
import type { ExperimentRecord, Spread } from "./experiment-record.ts";
import { digitsOf } from "./experiment-values.ts";

/** Whether anything is known of networks or of tests after epochs. */
export function knowsNetworks({ variants }: ExperimentRecord): boolean {
  return variants.some(({ network, chosenByTest }) => network || chosenByTest);
}

export const networkCaption =
  "Means over the repeats. Fitted: after the logistic of four parameters. Parameters: all, those that were not trained among them. Pictures a second: the whole network in evaluation, one view a picture, on this adapter, decoding left out; of a formula one picture of the set at its own size. " +
  "By test: what SRCC would gain if the epoch of the last phase were chosen on the test part, as some published codes do; here it is the last.";

/** What the variants reach beside what they cost, as text. */
export function networkCells(record: ExperimentRecord): { headers: string[]; cells: string[][] } {
  const { variants, ranges, range } = record;
  const some = <T>(of: (variant: ExperimentRecord["variants"][number]) => T | undefined) =>
    variants.some((variant) => of(variant) !== undefined);
  const withNetwork = some(({ network }) => network);
  const withChoice = some(({ chosenByTest }) => chosenByTest);
  const measures = ["srcc", "plcc", "plccFitted", "rmse", "rmseFitted"] as const;
  const headers = [
    ...["variant", "SRCC", "PLCC", "PLCC fitted", "RMSE", "RMSE fitted"],
    ...(withNetwork ? ["parameters", "pictures/s"] : []),
    "training",
    ...(withChoice ? ["by test"] : []),
  ];
  const cells = variants.map(({ name, summary, network, seconds, chosenByTest }) => {
    const test = summary.find(({ part }) => part === "test");
    return [
      name,
      ...measures.map((measure) =>
        decimals(numberOf(test?.measures[measure].mean), digitsOf(measure, ranges["test"] ?? range)),
      ),
      ...(withNetwork ? [millions(network?.parameters), decimals(network?.picturesPerSecond, 1)] : []),
      seconds.mean === null ? decimals(undefined, 0) : duration(seconds.mean),
      ...(withChoice ? [gain(chosenByTest)] : []),
    ];
  });
  return { headers, cells };
}

/** Parameters in millions. */
const millions = (count: number | undefined) =>
  count === undefined ? decimals(count, 0) : count < 1e4 ? String(count) : `${decimals(count / 1e6, 2)} M`;

function gain(spread: Spread | undefined): string {
  const mean = numberOf(spread?.mean);
  return Number.isNaN(mean) ? decimals(mean, 3) : `+${decimals(mean, 3)}`;
}
