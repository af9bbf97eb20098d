import type { EChartsOption } from "echarts";
import {
  type Axis,
  type ChartOptions,
  categoryAxis,
  colors,
  defaultWidth,
  draw,
  equality,
  legend,
  line,
  marked,
  type Named,
  type Point,
  rowAxis,
  seriesColor,
  valueAxis,
} from "./chart-frame.ts";

export type { Axis, ChartOptions, Named, Point } from "./chart-frame.ts";

/** Lines through at most so many points have marks on them. */
const fewPoints = 20;

export interface ScatterOptions extends ChartOptions {
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly Point[];
  /** A fitted curve, points in order of x. */
  readonly curve?: readonly Point[];
  /** Large marks joined by a line, such as means of the points; in order of x. */
  readonly means?: readonly Point[];
  /** Draws y = x for comparison. */
  readonly diagonal?: boolean;
}

export interface LinesOptions extends ChartOptions {
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly { readonly name: string; readonly points: readonly Point[] }[];
  /** Draws y = x between the ends of the axes, which must be given, for comparison. */
  readonly diagonal?: boolean;
}

export interface HistogramOptions extends ChartOptions {
  readonly x: Axis;
  /** The first is drawn as bars, the others as outlines over the same bins. */
  readonly series: readonly Named<readonly number[]>[];
  /** Number of bins of equal width; default by Sturges' rule. */
  readonly bins?: number;
}

export interface BarsOptions extends ChartOptions {
  readonly y: Axis;
  readonly categories: readonly string[];
  /** One value per category; NaN leaves a gap. */
  readonly series: readonly Named<readonly number[]>[];
  /** Categories downwards: better for long names. */
  readonly horizontal?: boolean;
  /** The values of a category end to end in one bar. */
  readonly stacked?: boolean;
}

/** Points with, if given, a fitted curve and the diagonal. Returns SVG. */
export function scatter(options: ScatterOptions): string {
  const { points, curve, means, diagonal = false } = options;
  const series: EChartsOption["series"] = [
    { type: "scatter", data: points.map(plain), symbolSize: 6, itemStyle: { color: seriesColor(0), opacity: 0.55 } },
  ];
  if (diagonal) {
    const values = points.flat();
    const low = Math.max(least(values), options.x.minimum ?? -Infinity, options.y.minimum ?? -Infinity);
    const high = Math.min(greatest(values), options.x.maximum ?? Infinity, options.y.maximum ?? Infinity);
    series.push(equality(low, high));
  }
  if (curve) series.push(line(curve.map(plain), { color: seriesColor(1), width: 2 }));
  if (means) series.push(marked(line(means.map(plain), { color: seriesColor(curve ? 2 : 1), width: 2 }), 9));
  return draw(options, { xAxis: valueAxis(options.x, "x"), yAxis: valueAxis(options.y, "y"), series });
}

/** Several series over one x axis, e.g. losses over epochs. Returns SVG. */
export function lines(options: LinesOptions): string {
  const { x, y, diagonal = false } = options;
  const series: object[] = options.series.map(({ name, points }, index) => {
    const type = index < colors ? ("solid" as const) : ("dashed" as const);
    const drawn = line(points.map(plain), { color: seriesColor(index), width: 2, type });
    const own = { name, itemStyle: { color: seriesColor(index) } };
    return { ...(points.length <= fewPoints ? marked(drawn, 7) : drawn), ...own };
  });
  if (diagonal) {
    const low = Math.max(x.minimum ?? 0, y.minimum ?? 0);
    series.unshift(equality(low, Math.min(x.maximum ?? 1, y.maximum ?? 1)));
  }
  return draw(options, {
    xAxis: valueAxis(x, "x"),
    yAxis: valueAxis(y, "y"),
    legend: legend(options.series.map(({ name }) => name)),
    series: series as EChartsOption["series"] & object[],
  });
}

/** How often the values fall into bins of equal width. Values that are not finite are left out. Returns SVG. */
export function histogram(options: HistogramOptions): string {
  const { edges, counts } = countBins(options);
  const outline = (bins: readonly number[]) => [
    [edges[0]!, 0],
    ...bins.flatMap((count, bin) => [
      [edges[bin]!, count],
      [edges[bin + 1]!, count],
    ]),
    [edges[bins.length]!, 0],
  ];
  const [first = [], ...others] = counts;
  const names = options.series.map(({ name }) => name);
  return draw(options, {
    xAxis: { ...valueAxis(options.x, "x"), min: edges[0], max: edges[edges.length - 1] },
    yAxis: { ...valueAxis({ label: "count", minimum: 0 }, "y"), minInterval: 1 },
    legend: legend(names),
    series: [
      {
        type: "custom",
        name: names[0],
        itemStyle: { color: seriesColor(0), opacity: others.length > 0 ? 0.55 : 1 },
        encode: { x: [0, 1], y: 2 },
        data: first.map((count, bin) => [edges[bin]!, edges[bin + 1]!, count]),
        renderItem: (_, api) => {
          const [left, top] = api.coord([api.value(0), api.value(2)]) as [number, number];
          const [right, bottom] = api.coord([api.value(1), 0]) as [number, number];
          const shape = { x: left + 0.5, y: top, width: Math.max(1, right - left - 1), height: bottom - top };
          return { type: "rect", shape, style: { fill: seriesColor(0), opacity: others.length > 0 ? 0.55 : 1 } };
        },
      },
      ...others.map((bins, index) => ({
        ...line(outline(bins), { color: seriesColor(index + 1), width: 2 }),
        name: names[index + 1],
        itemStyle: { color: seriesColor(index + 1) },
      })),
    ],
  });
}

/** One group of bars per category. Returns SVG. */
export function bars(options: BarsOptions): string {
  const { categories, series, horizontal = false, stacked = false, width = defaultWidth } = options;
  const downwards = horizontal
    ? rowAxis(
        categories,
        width,
        series.map(({ name }) => name),
      )
    : undefined;
  const category = downwards?.axis ?? categoryAxis(categories, (width - 80) / Math.max(1, categories.length));
  const value = valueAxis(options.y, horizontal ? "x" : "y");
  // Bars tell lengths, so their axis starts at nought unless the caller or a negative value says otherwise.
  const scaled = { ...value, scale: false };
  return draw(options, {
    ...(downwards && { grid: downwards.grid }),
    xAxis: horizontal ? scaled : category,
    yAxis: horizontal ? category : scaled,
    legend: legend(series.map(({ name }) => name)),
    series: series.map(({ name, values }, index) => ({
      type: "bar",
      name,
      data: values.map((number) => (Number.isFinite(number) ? number : "-")),
      itemStyle: { color: seriesColor(index) },
      barMaxWidth: 36,
      ...(stacked && { stack: "all" }),
    })),
  });
}

/** Bin edges, and counts between them for each series. Exported for tests. */
export function countBins({ series, bins, x }: HistogramOptions): { edges: number[]; counts: number[][] } {
  const lists = series.map(({ values }) => values.filter(Number.isFinite));
  const most = lists.reduce((length, list) => Math.max(length, list.length), 1);
  const number = Math.max(1, Math.round(bins ?? Math.ceil(Math.log2(most)) + 1));
  const all = lists.flat();
  const low = x.minimum ?? least(all);
  let high = x.maximum ?? greatest(all);
  if (!(high > low)) high = low + 1;
  const edges = Array.from({ length: number + 1 }, (_, index) => low + ((high - low) * index) / number);
  const counts = lists.map((list) => {
    const found = new Array<number>(number).fill(0);
    for (const value of list) {
      if (value < low || value > high) continue;
      // The last bin contains its upper edge.
      found[Math.min(number - 1, Math.floor(((value - low) / (high - low)) * number))]!++;
    }
    return found;
  });
  return { edges, counts };
}

function plain([x, y]: Point): number[] {
  return [x, y];
}

// Spreading a large array into Math.min would exceed the engine's argument limit.
function least(values: readonly number[]): number {
  const low = values.reduce((left, right) => Math.min(left, right), Infinity);
  return Number.isFinite(low) ? low : 0;
}

function greatest(values: readonly number[]): number {
  const high = values.reduce((left, right) => Math.max(left, right), -Infinity);
  return Number.isFinite(high) ? high : 1;
}
