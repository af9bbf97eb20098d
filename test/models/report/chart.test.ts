import { expect, test } from "bun:test";
import { bars, countBins, histogram, lines, scatter } from "../../../models/report/chart.ts";

const x = { label: "MOS (1 to 5)", minimum: 1, maximum: 5 };
const y = { label: "predicted", minimum: 1, maximum: 5 };

test("a scatter draws every point, the curve and the diagonal, and describes itself", () => {
  const points = [
    [1, 1.2],
    [2, 2.5],
    [4, 3.9],
  ] as const;
  const full = scatter({
    description: 'a "quoted" <d>',
    x,
    y,
    points,
    diagonal: true,
    curve: [
      [1, 1],
      [5, 5],
    ],
  });
  expect(full).toStartWith('<svg class="acutance-chart" role="img" aria-label="a &quot;quoted&quot; &lt;d&gt;" ');
  expect(full).toEndWith("</svg>");
  expect(full).toContain("MOS (1 to 5)");
  expect(full.match(/fill="var\(--chart-0\)"/g)).toHaveLength(3);
  expect(full.match(/stroke="var\(--chart-1\)"/g)).toHaveLength(1);
  expect(full.match(/stroke-dasharray/g)).toHaveLength(1);
});

test("names are escaped and colours follow the reader's scheme", () => {
  const series = ["a<b>", "c"].map((name) => ({
    name,
    points: [
      [0, 1],
      [1, 2],
    ] as const,
  }));
  const svg = lines({ description: "d", x, y, series });
  expect(svg).toContain("a&lt;b&gt;");
  expect(svg).not.toContain("<b>");
  expect(svg).toContain("prefers-color-scheme:dark");
  expect(svg).toContain("var(--chart-1)");
  expect(svg).not.toContain("NaN");
});

test("bins have equal width, the last is closed, and what is not finite is left out", () => {
  const values = [0, 0.1, 0.5, 1, Number.NaN, 2];
  expect(
    countBins({
      description: "d",
      x: { label: "c", minimum: 0, maximum: 1 },
      series: [
        { name: "a", values },
        { name: "b", values: [1] },
      ],
      bins: 2,
    }),
  ).toEqual({
    edges: [0, 0.5, 1],
    counts: [
      [2, 2],
      [0, 1],
    ],
  });
});

test("degenerate data still draw", () => {
  const charts = [
    histogram({ description: "d", x: { label: "c" }, series: [] }),
    histogram({ description: "d", x: { label: "c" }, series: [{ name: "a", values: [2, 2] }] }),
    scatter({ description: "d", x: { label: "x" }, y: { label: "y" }, points: [], diagonal: true }),
    lines({ description: "d", x, y, series: [] }),
    bars({ description: "d", y, categories: [], series: [] }),
    bars({ description: "d", y, categories: ["a"], series: [{ name: "s", values: [Number.NaN] }], horizontal: true }),
  ];
  for (const svg of charts) {
    expect(svg).toStartWith("<svg ");
    expect(svg).not.toContain("NaN");
  }
});

test("a histogram's axis covers its highest bin", () => {
  const svg = histogram({
    description: "d",
    x: { label: "c" },
    series: [{ name: "a", values: [...Array(40).fill(1), 2] }],
    bins: 2,
  });
  expect(svg).toContain(">40</text>");
});

test("a second list is an outline over the bars of the first, and both are named", () => {
  const series = [
    { name: "truth", values: [1, 1, 2, 3] },
    { name: "guess", values: [2, 2, 2] },
  ];
  const svg = histogram({ description: "d", x: { label: "c", minimum: 0, maximum: 4 }, series, bins: 4 });
  expect(svg).toContain(">truth</text>");
  expect(svg).toContain(">guess</text>");
  expect(svg.match(/stroke="var\(--chart-1\)"/g)).toHaveLength(1);
});

test("means have large marks of their own colour, joined; short lines have marks, long ones none", () => {
  const points = [
    [1, 1],
    [2, 2],
  ] as const;
  const means = scatter({ description: "d", x, y, points, means: points });
  expect(means.match(/fill="var\(--chart-1\)"/g)).toHaveLength(2);
  expect(means.match(/stroke="var\(--chart-1\)"/g)).toHaveLength(1);
  const marks = (count: number) => {
    const long = Array.from({ length: count }, (_, i) => [1 + (4 * i) / count, 2] as const);
    return lines({ description: "d", x, y, series: [{ name: "a", points: long }], diagonal: true });
  };
  expect(marks(20).match(/fill="var\(--chart-0\)"/g)).toHaveLength(20);
  expect(marks(21)).not.toContain('fill="var(--chart-0)"');
  expect(marks(3).match(/stroke-dasharray/g)).toHaveLength(1);
});
