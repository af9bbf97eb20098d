import { expect, test } from "bun:test";
import { Writable } from "node:stream";
import { emphasis, formatBytes, formatSeconds, pace, pairs, progress, table } from "../../cli/terminal.ts";

function stream(isTTY: boolean) {
  const text: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      text.push(String(chunk));
      done();
    },
  });
  return {
    text: () => text.join(""),
    sink: Object.assign(sink, { isTTY, columns: 120 }) as unknown as NodeJS.WriteStream,
  };
}

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [1024 ** 2 - 1, "1 MiB"],
  [128 * 1024 ** 2, "128 MiB"],
  [4 * 1024 ** 3 - 1, "4 GiB"],
])("%d bytes", (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected);
});

test.each([
  [0, "0 s"],
  [0.000_085, "85 µs"],
  [0.012, "12 ms"],
  [0.9996, "1 s"],
  [3.42, "3.42 s"],
  [59.97, "1 min 00 s"],
  [125, "2 min 05 s"],
  [3599.7, "1 h 00 min"],
  [3720, "1 h 02 min"],
  [3 * 86400 + 4 * 3600, "3 d 04 h"],
  [Number.POSITIVE_INFINITY, "?"],
])("%d seconds", (seconds, expected) => {
  expect(formatSeconds(seconds)).toBe(expected);
});

test("rate and time left", () => {
  expect(pace(0, 10, 5)).toEqual({ rate: "- /s", left: "?" });
  expect(pace(50, 100, 10)).toEqual({ rate: "5 /s", left: "10 s" });
  expect(pace(1, 3, 20)).toEqual({ rate: "20 s each", left: "40 s" });
});

test("a table lines up numbers to the right and has no trailing blanks", () => {
  const lines = table(
    ["method", "SRCC"],
    [
      ["CPL-IQA", 0.912],
      ["a", 0.5],
      ["gap", null],
    ],
  ).split("\n");
  expect(lines[0]).toBe("method    SRCC");
  expect(lines[1]).toMatch(/^─+$/);
  expect(lines.slice(2)).toEqual(["CPL-IQA  0.912", "a          0.5", "gap"]);
});

test("pairs wrap long values under themselves", () => {
  expect(
    pairs(
      [
        ["a", "one two three"],
        ["long", "x"],
      ],
      14,
    ),
  ).toBe("a     one two\n      three\nlong  x");
});

test("without a terminal the progress is one plain line at the end", () => {
  const { text, sink } = stream(false);
  const bar = progress("training", 3, sink);
  bar.advance();
  bar.advance(2, "loss 0.3");
  expect(text()).toBe("");
  bar.stop();
  bar.stop();
  expect(text()).toMatch(/^training: 3 of 3 in .+, loss 0\.3\n$/);
});

test("on a terminal the bar shows label, count and note", () => {
  const { text, sink } = stream(true);
  Object.assign(sink, { cursorTo() {}, moveCursor() {}, clearLine() {} });
  const bar = progress("scoring", 2, sink);
  bar.advance(2, "cat.jpg");
  bar.stop();
  expect(text()).toContain("scoring");
  expect(text()).toContain("2/2");
  expect(text()).toContain("cat.jpg");
});

test("colours only on a terminal", () => {
  expect(emphasis("x", "red", stream(false).sink)).toBe("x");
});
