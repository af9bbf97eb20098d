import { expect, test } from "bun:test";
import { countTests } from "./junit.ts";
import { atLeast } from "./runtimes.ts";

test("versions compare by their numbers", () => {
  expect(atLeast("24.21.0", "24.2")).toBe(true);
  expect(atLeast("24.2.0", "24.2")).toBe(true);
  expect(atLeast("24.1.9", "24.2")).toBe(false);
  expect(atLeast("9.9.9", "24.2")).toBe(false);
});

test("cases are counted as Bun, Node and Deno write them", () => {
  const bun = `<testsuites name="bun test" tests="3"><testsuite name="a.test.ts"><testsuite name="group">
    <testcase name="one" classname="group" time="0.1" assertions="2" />
    <testcase name="two &amp; &lt;three&gt;" time="0"><failure type="AssertionError" /></testcase>
    <testcase name="four"><skipped /></testcase></testsuite></testsuite></testsuites>\n`;
  expect(countTests(bun)).toEqual({ passed: 1, failed: 1, skipped: 1, failures: ["two & <three>"], complete: true });
  const node = `<testsuites>\n\t<testcase name="group > one" time="0.1" classname="test" file="/a.ts"/>
\t<testcase name="two" failure="1 > 2"><failure type="testCodeFailure" message="1 > 2">text</failure></testcase>
\t<testcase name="three"><skipped type="skipped" message="true"/></testcase>\n\t<!-- tests 3 -->\n`;
  expect(countTests(node)).toMatchObject({ passed: 1, failed: 1, skipped: 1, failures: ["two"], complete: false });
  const deno = `<testsuites name="deno test" errors="0"><testsuite name="./run.ts">
    <testcase name="group &gt; one" classname="./run.ts" time="0.005" line="5" col="1">\n        </testcase></testsuite></testsuites>`;
  expect(countTests(deno)).toMatchObject({ passed: 1, failed: 0, skipped: 0, complete: true });
  expect(countTests("")).toMatchObject({ passed: 0, failed: 0, skipped: 0, complete: false });
});
