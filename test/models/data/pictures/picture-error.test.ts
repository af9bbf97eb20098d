import { afterEach, expect, test } from "bun:test";
import { PictureError, pixelWords } from "../../../../models/data/pictures/picture-error.ts";
import { problemOf } from "../../../../models/service/problem.ts";

afterEach(() => {
  PictureError.audience = "library";
});

const tooLarge = () => new PictureError("a.png", "too-large", pixelWords(20_000, 14_000, 268_402_689));

test("says size, limit and the option of the library, the command line, or whoever runs the service", () => {
  const error = tooLarge();
  expect(error.detail).toBe("It has 20000 x 14000 = 280,000,000 pixels; the limit is 268,402,689.");
  expect(error.advice).toStartWith("Raise maxPixels");
  expect(error.message).toBe(`a.png: too large. ${error.detail} ${error.advice}`);
  PictureError.audience = "command line";
  expect(tooLarge().advice).toStartWith("Raise --max-pixels");
  const { status, document } = problemOf(tooLarge());
  expect(status).toBe(413);
  expect(document).toMatchObject({ code: "too-large", detail: error.detail });
  expect(document.advice).toStartWith("Shrink the picture first; whoever runs the service");
});

test("damage: the library's strictness, the command line's --strictness, neither for a client of the service", () => {
  const damaged = () => new PictureError("a.jpg", "damaged", "A part is missing.");
  expect(damaged().advice).toContain("strictness `error`");
  PictureError.audience = "command line";
  expect(damaged().advice).toContain("--strictness error");
  expect(problemOf(damaged()).document.advice).not.toContain("strictness");
});
