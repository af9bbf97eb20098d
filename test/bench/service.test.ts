import { expect, test } from "bun:test";
import { load, quantile } from "./service-load.ts";
import { measureService } from "./service-measure.ts";

test("the quick form: no answer is lost, wrong or refused", async () => {
  const result = await measureService({
    seconds: 1,
    rounds: 2,
    clients: [4, 16],
    pictures: 6,
    requests: 60,
    quick: true,
  });
  expect(result.differentScores).toBe(6);
  for (const { right, wrong, lost, refused } of [...result.loads, result.memory.load]) {
    expect(right).toBeGreaterThan(0);
    expect({ wrong, lost, refused }).toEqual({ wrong: 0, lost: 0, refused: {} });
  }
  expect(result.memory.load.right).toBeGreaterThanOrEqual(60);
  expect(result.memory.atEnd).toBeGreaterThan(2 ** 20);
});

test("an answer that is another picture's counts as wrong, none as lost, a problem by its status", async () => {
  const row = { index: 0, name: "p", score: 4, range: [0, 9], standardDeviation: 1, confidence: 0.5, histogram: [1] };
  const picture = { ...row, width: 1, height: 1, model: "m", milliseconds: 1 };
  const answer = { model: "m", range: [0, 9], direction: "higher is better", pictures: [picture] };
  let turn = 0;
  const server = Bun.serve({
    port: 0,
    fetch: () =>
      [() => Response.json(answer), () => Response.json({}, { status: 429 }), () => new Response("{")][turn++ % 3]!(),
  });
  const known = [4, 4, 4, 5, 4, 4].map((score) => ({ bytes: new Uint8Array(1), score }));
  const seen = await load(server.url.origin, known, { clients: 1, goesOn: (sent) => sent < 6 });
  expect(seen).toMatchObject({ right: 1, wrong: 1, refused: { 429: 2 }, lost: 2 });
  await server.stop(true);
});

test("quantiles are those of the nearest rank", () => {
  expect([0.5, 0.95, 1].map((share) => quantile([4, 1, 3, 2], share))).toEqual([2, 4, 4]);
});
