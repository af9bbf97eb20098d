import { constantName, type RunRecord } from "../training/run-record.ts";
import { capital, numberOf, pictureCount } from "./report-parts.ts";

/** One sentence: what the models of a run reached, and whether the last phase beats the first. */
export function outcome({ results, comparison }: RunRecord): string {
  const tested = results.filter(({ name, part }) => !part && name !== constantName);
  const [first, last] = [tested[0], tested.at(-1)];
  if (!first || !last) return "There are no test results.";
  const [one, two] = [first.name, last.name];
  const [before, after] = [first, last].map(({ evaluation }) => numberOf(evaluation.srcc)) as [number, number];
  const pictures = pictureCount(last.evaluation.n);
  if (first === last) {
    const value = Number.isNaN(after) ? "an undefined test SRCC" : `a test SRCC of ${after.toFixed(3)}`;
    const other = { "stage 1": "stage 2", "stage 2": "stage 1" }[one];
    return `${capital(one)} reaches ${value} on ${pictures}${other ? `; there is no test of ${other} to compare it with` : ""}.`;
  }
  if (Number.isNaN(before - after)) {
    const undefinedIn = [Number.isNaN(before) && one, Number.isNaN(after) && two].filter(Boolean);
    return `The stages cannot be compared: the test SRCC of ${undefinedIn.join(" and ")} is undefined.`;
  }
  // As many digits as it takes to see the difference that the sentence is about.
  let digits = 3;
  while (digits < 6 && before.toFixed(digits) === after.toFixed(digits)) digits++;
  if (after === before) return `${capital(two)} and ${one} have one test SRCC, ${after.toFixed(3)}, on ${pictures}.`;
  const verdict = after > before ? "beats" : "does not beat";
  const numbers = `${after.toFixed(digits)} against ${before.toFixed(digits)}`;
  return `${capital(two)} ${verdict} ${one} in test SRCC: ${numbers}, on ${pictures}${chance(comparison, digits)}.`;
}

/** Whether the difference is more than other pictures of the same kind might have made it. */
function chance(comparison: RunRecord["comparison"], digits: number): string {
  if (!comparison?.interval) return "";
  const [low, high] = comparison.interval;
  const [difference, ...ends] = [comparison.difference, low, high].map((value) =>
    value.toFixed(digits).replace("-", "−"),
  );
  const drawn = comparison.groups < comparison.pictures ? `${comparison.groups} groups` : "pictures";
  const words = low <= 0 && high >= 0 ? ", so small a difference may be chance" : "";
  return `; a difference of ${difference} (95 % ${ends.join(" to ")}, by drawing ${drawn} anew)${words}`;
}
