import { describe, expect, test } from "bun:test";
import { evaluate } from "../../../engine/harness/expression.ts";
import { parseQuery, QueryError, queryFields } from "../../../models/scoring/query.ts";

const picture = { score: 28, sharpness: 0.1, width: 4000, height: 3000, path: "Day 1/IMG_0042.JPG", motionBlur: 0.7 };

describe("a query", () => {
  test.each([
    ["score < 30", true],
    ["score < 30 and sharpness < 0.2", true],
    ["score < 30 && sharpness > 0.2", false],
    ["score > 30 or motionBlur >= 0.7", true],
    ["not (score > 30 or motionBlur >= 0.7)", false],
    ["!(score > 30)", true],
    ["score > 30 or score < 20 and width > 1", false],
    ["(score > 20 or score < 20) and width != 4000", false],
    ["width * height / 1000000 == 12", true],
    ["score - -2 <= 30", true],
    ['path ~ "img_*.jpg"', true],
    ['path ~ "img_????.jpg"', true],
    ['path ~ "img_???.jpg"', false],
    ['path ~ "0042"', false],
    ['path ~ "day*/*"', true],
    ['path ~ "i(m|g)*"', false],
    ["path == 'Day 1/IMG_0042.JPG'", true],
    ["path != 'x'", true],
    // What is not known is neither so nor not so.
    ["typicality < 0.5", false],
    ["not (typicality < 0.5)", false],
    ["typicality < 0.5 or score < 30", true],
    ["score < 30 or typicality < 0.5", true],
    ["not (typicality < 0.5 and score > 30)", true],
    ["kind == 'unlike'", false],
  ] as const)("%s", (text, taken) => {
    expect(parseQuery(text)(picture)).toBe(taken);
  });

  test("says which fields it asks", () => {
    expect([...parseQuery("score < 3 and (low > 2 or not (path ~ '*'))").names].sort()).toEqual([
      "low",
      "path",
      "score",
    ]);
  });

  test.each([
    ["", "an empty query"],
    ["score < ", 'score < ▸", character 9: expected expression'],
    ["score = 3", '"is equal" is written =='],
    ["score 3", "an operator such as and is missing"],
    ["score < 3 sharpness < 2", "an operator such as and is missing"],
    ["(score < 3", "unclosed ("],
    ["low < 3 and scor < 3", 'low < 3 and ▸scor < 3", character 13: there is no field scor; there are score, low'],
    ["score", "is a number, not a question; compare it"],
    ["3 < score < 5", "cannot compare a truth with a number"],
    ["not score < 3", "not is of a comparison: put that in brackets"],
    ["score < 'a'", "cannot compare a number with a text"],
    ["path < 'a'", "cannot compare a text with a text"],
    ["path ~ path", "~ is between a text and a pattern in quotes"],
    ["score and low", "and is between comparisons"],
    ["score ** 2 > 3", "there is no operator **"],
    ["~score > 3", "unexpected"],
    ["score[0] > 3", "is no part of a query"],
    ["constructor > 3", "there is no field constructor"],
    ["score.constructor > 3", "is no part of a query"],
    ["exit() > 3", "is no part of a query"],
    ["this > 3", "is no part of a query"],
    ["score > true", "a number or a text in quotes is expected"],
    ["path ~ 'a", "unclosed quote"],
  ])("%j is refused", (text, says) => {
    let error: unknown;
    try {
      parseQuery(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(QueryError);
    expect((error as Error).message).toContain(says);
  });

  test("leaves the language of other expressions as it is", () => {
    expect(() => parseQuery("score <")).toThrow();
    expect(() => evaluate("1 and 2", () => undefined)).toThrow("an operator is missing");
  });

  test("every field says what it is", () => {
    expect(Object.values(queryFields).every(({ is }) => is.length > 5)).toBe(true);
  });
});
