import { expect, jest, test } from "bun:test";
import { Writable } from "node:stream";
import {
  emphasis,
  formatBytes,
  formatSeconds,
  Pace,
  pairs,
  printableMessage,
  progress,
  table,
} from "../../cli/terminal.ts";

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

test("rate and time left are of what follows the first results", () => {
  const pace = new Pace(100);
  expect(pace.words(5)).toEqual({ rate: "- /s", left: "?" });
  // A batch after half a minute of loading and compiling tells nothing yet; the next ones come every 2 s.
  for (let i = 0; i < 10; i++) pace.advance(1, 30 + i * 0.001);
  expect(pace.words(31)).toEqual({ rate: "- /s", left: "?" });
  for (const at of [32, 34]) for (let i = 0; i < 10; i++) pace.advance(1, at);
  expect(pace.words(34)).toEqual({ rate: "5 /s", left: "14 s" });
  expect(pace.words(35)).toEqual({ rate: "5 /s", left: "13 s" });
  expect(pace.words(60)).toEqual({ rate: "1 /s", left: "44 s" });
  for (let i = 0; i < 70; i++) pace.advance(1, 64);
  expect(pace.words(64).left).toBe("0 s");
});

test("slow work has its time a piece", () => {
  const pace = new Pace(4);
  pace.advance(1, 60);
  pace.advance(1, 80);
  expect(pace.words(80)).toEqual({ rate: "20 s each", left: "40 s" });
});

test("without a terminal a line comes every 10 s from the start, before anything is done", () => {
  jest.useFakeTimers();
  try {
    const { text, sink } = stream(false);
    const bar = progress("scoring", 3, sink);
    jest.advanceTimersByTime(10_000);
    expect(text()).toStartWith("scoring: 0 of 3 after ");
    bar.advance(1);
    jest.advanceTimersByTime(10_000);
    bar.stop();
    jest.advanceTimersByTime(60_000);
    expect(text().trim().split("\n")).toHaveLength(3);
  } finally {
    jest.useRealTimers();
  }
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

test("names cannot move the cursor, colour, hide or turn what a terminal shows", () => {
  const name = "a\x1b[2J\x1b]0;title\x07\u202egpj.exe\x9b8m\r\n.jpg";
  const shown = "a\\x1b[2J\\x1b]0;title\\x07\\u202egpj.exe\\x9b8m\\x0d\\x0a.jpg";
  expect(table(["picture", "score"], [[name, 1]])).toContain(shown);
  const message = `\x1b[31merror:\x1b[39m ${name.replace("\n", "")}\nnext line, ä€😀`;
  expect(printableMessage(message)).toBe(`\x1b[31merror:\x1b[39m ${shown.replace("\\x0a", "")}\nnext line, ä€😀`);
  // Concealed text, too.
  expect(printableMessage("\x1b[8mhidden")).toBe("\\x1b[8mhidden");
});
