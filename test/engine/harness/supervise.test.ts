import { expect, test } from "bun:test";
import { descriptionSchema } from "../../../engine/harness/description.ts";
import { type Outcome, superviseRuns } from "../../../engine/harness/supervise.ts";
import { product, productDescription } from "./kernels.ts";

test("a sweep goes on behind a kernel that never ends and one that does not compile", async () => {
  const source = product().replace(
    "var sum = 0.0;",
    `var sum = 0.0;
  //#if ROWS == 3
  loop { sum += 1.0; if (sum < 0.0) { break; } }
  //#end
  //#if ROWS == 5
  let wrong: u32 = sum;
  //#end`,
  );
  const points = [2, 3, 5, 4].map((ROWS) => ({ ROWS }));
  const seen: Outcome[] = [];
  const description = descriptionSchema.parse(productDescription);
  const request = { source, file: "mine.wgsl", description, points, runs: 1, leastMs: 0.01 };
  const outcomes = await superviseRuns(request, 4000, (outcome) => seen.push(outcome));
  expect(seen).toEqual(outcomes);
  expect(outcomes.map(({ point }) => point)).toEqual(points);
  const [first, endless, broken, last] = outcomes as [Outcome, Outcome, Outcome, Outcome];
  for (const right of [first, last]) expect(right).toMatchObject({ run: { check: { wrong: 0 } } });
  expect(endless).toMatchObject({ failure: "did not end within 4 s" });
  expect("failure" in broken && broken.failure).toContain("mine.wgsl:17:");
}, 60_000);
