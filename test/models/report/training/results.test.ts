import { expect, test } from "bun:test";
import { trainingReport } from "../../../../models/report/training/training-report.ts";
import { classResult } from "../../../../models/training/class-results.ts";
import type { RunRecord } from "../../../../models/training/run-record.ts";
import { cells, empty, plausible, titles } from "./record.ts";

test("classes are shown beside every constant, and the page says which of them is as good", async () => {
  const own = [0, 1, 1, 2, 2, 2, 2, 3, 3, 4];
  const options = { classes: 5, range: [0, 5], labelled: [2.5, 2.5, 3.5] } as const;
  const result = (name: string, predicted: number[]) =>
    classResult(
      name,
      own.map((c, i) => ({ class: predicted[i]!, score: 0.5 + 0.9 * predicted[i]!, mos: c + 0.5 })),
      options,
    )!;
  const classes = [
    result("stage 1", [2, 0, 0, 1, 1, 2, 2, 3, 3, 2]),
    result("stage 2", [0, 1, 1, 2, 2, 2, 2, 3, 3, 4]),
  ];
  // As a record is read from its file: NaN is null.
  const html = await trainingReport(JSON.parse(JSON.stringify({ ...empty, classes })));
  const page = html.slice(html.indexOf("Classes of the test part</h2>"));
  for (const title of ["always 0", "always 2 (most labelled)", "always 4"]) expect(page).toContain(title);
  const constants = (...values: number[]) => values.map((value) => value.toFixed(3));
  expect(cells(page, "MAE")).toEqual(["MAE", "10", "0.800", "0.000", ...constants(2, 1.2, 0.8, 1.2, 2)]);
  // The expectation is a tenth of the class below it.
  expect(cells(page, "MAE of the expectation")?.slice(0, 6)).toEqual([
    ...["MAE of the expectation", "10", "0.920", "0.200", ...constants(2, 1.2)],
  ]);
  expect(cells(page, "MAE, class 0")).toEqual(["MAE, class 0", "1", "2.000", "0.000", ...constants(0, 1, 2, 3, 4)]);
  expect(cells(page, "MAE, classes 3 and 4 together")?.slice(0, 4)).toEqual([
    ...["MAE, classes 3 and 4 together", "3", "0.667", "0.000"],
  ]);
  expect(cells(page, "accuracy")?.slice(2, 4)).toEqual(["0.400", "1.000"]);
  expect(page).toContain(
    "Stage 1 does not beat always answering class 2: MAE 0.800 over 10 pictures against 0.800. " +
      "A constant is at least as good in class 0 (always 1: 1.000 against 2.000), class 1 (always 0: 1.000 against 1.000), " +
      "class 4 (always 3: 1.000 against 2.000), classes 3 and 4 together (always 3: 0.333 against 0.667).",
  );
  expect(page).toContain(
    "Stage 2 beats every constant predictor: MAE 0.000 over 10 pictures against 0.800 of always answering class 2. " +
      "In no class is the constant of another as good.",
  );
  expect(titles(await trainingReport(plausible()))).not.toContain("Classes of the test part");
});

test("of many classes the best constant and that of the most frequent class are shown", async () => {
  const pictures = [0, 3, 3, 11].map((mos) => ({ class: 5, mos: mos + 0.5 }));
  const classes = [classResult("stage 1", pictures, { classes: 12, range: [0, 12], labelled: [9.5] })!];
  const html = await trainingReport({ ...empty, classes });
  expect([...html.matchAll(/always \d+( \(most labelled\))?<\/th>/g)].map(([text]) => text)).toEqual([
    "always 3</th>",
    "always 9 (most labelled)</th>",
  ]);
});

test("the outcome is said plainly", async () => {
  const record = plausible();
  const [one, two, constant] = record.results.map(({ evaluation }) => evaluation);
  const summary = async (results: RunRecord["results"], comparison?: RunRecord["comparison"]) =>
    /<p class="summary">(.*?)<\/p>/.exec(
      await trainingReport({ ...empty, results, ...(comparison && { comparison }) }),
    )![1];
  const stages = [
    { name: "stage 1", evaluation: { ...one!, srcc: 0.81234 } },
    { name: "stage 2", evaluation: { ...two!, srcc: 0.8119 } },
  ];
  const numbers = "Stage 2 does not beat stage 1 in test SRCC: 0.8119 against 0.8123, on 20 pictures";
  expect(await summary(stages)).toBe(`${numbers}.`);
  const comparison = { before: 0.81234, after: 0.8119, difference: -0.00044, pictures: 20, groups: 20 };
  expect(await summary(stages, { ...comparison, interval: [-0.01, 0.0021] })).toBe(
    `${numbers}; a difference of −0.0004 (95 % −0.0100 to 0.0021, by drawing pictures anew), so small a difference may be chance.`,
  );
  expect(await summary(stages, { ...comparison, groups: 5, interval: [-0.01, -0.0001] })).toBe(
    `${numbers}; a difference of −0.0004 (95 % −0.0100 to −0.0001, by drawing 5 groups anew).`,
  );
  expect(await summary([{ name: "stage 1", evaluation: { ...one!, srcc: 0.8 } }])).toBe(
    "Stage 1 reaches a test SRCC of 0.800 on 20 pictures; there is no test of stage 2 to compare it with.",
  );
  expect(
    await summary([
      { name: "stage 1", evaluation: one! },
      { name: "stage 2", evaluation: constant! },
    ]),
  ).toBe("The stages cannot be compared: the test SRCC of stage 2 is undefined.");
  expect(await summary([])).toBe("There are no test results.");
});

test("ranked copies are counted beside labelled pictures, and equal stages from worse ones", async () => {
  const record = plausible();
  const [one] = record.results;
  const html = await trainingReport({
    ...record,
    parts: { ...record.parts, ranked: 12 },
    results: [one!, { ...one!, name: "stage 2" }],
  });
  expect(cells(html, "pictures")![1]).toBe("21 labelled, 12 ranked sets of degraded copies, 63 unlabelled, 20 test");
  expect(html).toContain(`Stage 2 and stage 1 have one test SRCC, ${one!.evaluation.srcc.toFixed(3)}, on 20 pictures.`);
});

test("a validation part is named beside the test part", async () => {
  const record = plausible();
  const [one] = record.results;
  const html = await trainingReport({
    ...record,
    parts: { ...record.parts, validation: 7 },
    results: [...record.results, { name: "stage 1, validation", part: "validation", evaluation: one!.evaluation }],
  });
  expect(cells(html, "pictures")).toEqual(["pictures", "21 labelled, 63 unlabelled, 7 validation, 20 test"]);
  expect(cells(html, "stage 1, validation")?.[1]).toBe("20");
  expect(cells(html, "stage 1, test")?.[1]).toBe("20");
  expect(html).toContain("of the test and the validation part at the end of each stage");
  expect(html).toContain("Stage 2 beats stage 1 in test SRCC");
});
