import { describe, expect, test } from "bun:test";
import { pictureStatistics, shownForStatistics, statisticNames } from "../../../models/reasons/statistics/index.ts";
import { golden, pixels } from "../classic/pictures.ts";

interface Case {
  readonly kind: string;
  readonly height: number;
  readonly width: number;
  readonly statistics: readonly number[];
}

const { pictures } = golden<{ pictures: readonly Case[] }>("reasons");

describe("statistics of a picture", () => {
  test.each(pictures.map((each) => [`${each.kind} ${each.height} x ${each.width}`, each] as const))(
    "equal to float64: %s",
    (_, { kind, height, width, statistics }) => {
      const found = pictureStatistics({ pixels: pixels(kind, height, width), width, height });
      expect(found.length).toBe(statisticNames.length);
      const errors = statistics.map((value, i) => Math.abs(found[i]! - value) / Math.max(1, Math.abs(value)));
      const worst = Math.max(...errors);
      expect(`${statisticNames[errors.indexOf(worst)]} ${worst < 1e-6 ? "right" : worst}`).toEndWith("right");
    },
  );

  test("are the same of a picture whose sides are exchanged, but for those that tell across from down", () => {
    const [height, width] = [96, 131];
    const bytes = pixels("waves", height, width);
    const turned = new Uint8Array(bytes.length);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let c = 0; c < 3; c++) turned[3 * (x * height + y) + c] = bytes[3 * (y * width + x) + c]!;
    const [a, b] = [
      pictureStatistics({ pixels: bytes, width, height }),
      pictureStatistics({ pixels: turned, width: height, height: width }),
    ];
    const differing = statisticNames.filter((_, i) => Math.abs(a[i]! - b[i]!) > 1e-6);
    expect(differing).toEqual(["equal beside", "equal below"]);
  });

  test("a picture of one colour has finite ones", () => {
    for (const value of [0, 128, 255]) {
      const found = pictureStatistics({ pixels: new Uint8Array(48 * 48 * 3).fill(value), width: 48, height: 48 });
      expect(found.every(Number.isFinite)).toBe(true);
    }
  });

  test("larger pictures are reduced first, small ones have none", async () => {
    const of = (width: number, height: number) => ({ pixels: pixels("waves", height, width), width, height });
    expect(await shownForStatistics(of(1024, 300))).toMatchObject({ width: 512, height: 150 });
    expect(await shownForStatistics(of(300, 200))).toMatchObject({ width: 300, height: 200 });
    expect(await shownForStatistics(of(300, 47))).toBeUndefined();
    expect(await shownForStatistics(of(2000, 100))).toBeUndefined();
  });
});
