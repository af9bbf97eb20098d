import { expect, test } from "bun:test";
import { inProcesses } from "../../../engine/inspect/processes.ts";

const script = new URL("ending.ts", import.meta.url);

test("what ends its process fails alone, with its reason; the rest goes on in new processes", async () => {
  const requests = ["a", "abort", "b", "throw", "exit", "exit", "usage", "c"];
  let output = "";
  const answers = await inProcesses<string, string>({ script, requests }, (text) => {
    output += text;
  });
  expect(answers).toEqual([
    { done: "A" },
    { failed: "ended by SIGABRT" },
    { done: "B" },
    { failed: "no" },
    { failed: "ended with code 7" },
    { failed: "ended with code 7" },
    { failed: "not so", blame: "usage" },
    { done: "C" },
  ]);
  expect(output).toBe(requests.map((request) => `began ${request}\n`).join(""));
});

test("what does not end is ended", async () => {
  const answers = await inProcesses<string, string>({ script, requests: ["a", "hang", "b"], timeoutMs: 3000 });
  expect(answers).toEqual([{ done: "A" }, { failed: "did not end within 3 s" }, { done: "B" }]);
});

test("a process that cannot start fails all", async () => {
  const nowhere = new URL("nowhere.ts", import.meta.url);
  const answers = await inProcesses<string, string>({ script: nowhere, requests: ["a", "b"] });
  expect(answers).toHaveLength(2);
  for (const answer of answers)
    expect(answer).toMatchObject({ failed: expect.stringMatching(/^ended with code 1: .*nowhere/s) });
});
