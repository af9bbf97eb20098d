import type { EChartsOption } from "echarts";
import * as echarts from "echarts";

export type Point = readonly [x: number, y: number];

export interface ChartOptions {
  /** One sentence for readers who cannot see the picture. */
  readonly description: string;
  /** CSS pixels of the drawing; it scales down on narrow screens. */
  readonly width?: number;
  readonly height?: number;
}

export interface Axis {
  /** With the unit, e.g. "predicted MOS (1 to 5)". */
  readonly label: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly logarithmic?: boolean;
}

export interface ScatterOptions extends ChartOptions {
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly Point[];
  /** A fitted curve, points in order of x. */
  readonly curve?: readonly Point[];
  /** Draws y = x for comparison. */
  readonly diagonal?: boolean;
}

export interface LinesOptions extends ChartOptions {
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly { readonly name: string; readonly points: readonly Point[] }[];
}

export interface HistogramOptions extends ChartOptions {
  readonly x: Axis;
  readonly values: readonly number[];
  /** Number of bins of equal width; default by Sturges' rule. */
  readonly bins?: number;
}

export interface BarsOptions extends ChartOptions {
  readonly y: Axis;
  readonly categories: readonly string[];
  /** One value per category; NaN leaves a gap. */
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
  /** Categories downwards: better for long names. */
  readonly horizontal?: boolean;
}

/** Points with, if given, a fitted curve and the diagonal. Returns SVG. */
export function scatter(options: ScatterOptions): string {
  const { points, curve, diagonal = false } = options;
  const series: EChartsOption["series"] = [
    { type: "scatter", data: points.map(plain), symbolSize: 6, itemStyle: { color: seriesColor(0), opacity: 0.55 } },
  ];
  if (diagonal) {
    const values = points.flat();
    const low = Math.max(least(values), options.x.minimum ?? -Infinity, options.y.minimum ?? -Infinity);
    const high = Math.min(greatest(values), options.x.maximum ?? Infinity, options.y.maximum ?? Infinity);
    series.push(
      line(
        [
          [low, low],
          [high, high],
        ],
        { color: muted, type: "dashed", width: 1 },
      ),
    );
  }
  if (curve) series.push(line(curve.map(plain), { color: seriesColor(1), width: 2 }));
  return draw(options, { xAxis: valueAxis(options.x, "x"), yAxis: valueAxis(options.y, "y"), series });
}

/** Several series over one x axis, e.g. losses over epochs. Returns SVG. */
export function lines(options: LinesOptions): string {
  return draw(options, {
    xAxis: valueAxis(options.x, "x"),
    yAxis: valueAxis(options.y, "y"),
    legend: legend(options.series.length),
    series: options.series.map(({ name, points }, index) => ({
      ...line(points.map(plain), { color: seriesColor(index), width: 2, type: index < 6 ? "solid" : "dashed" }),
      name,
      itemStyle: { color: seriesColor(index) },
    })),
  });
}

/** How often the values fall into bins of equal width. Values that are not finite are left out. Returns SVG. */
export function histogram(options: HistogramOptions): string {
  const { edges, counts } = countBins(options);
  return draw(options, {
    xAxis: { ...valueAxis(options.x, "x"), min: edges[0], max: edges[edges.length - 1] },
    yAxis: { ...valueAxis({ label: "count", minimum: 0 }, "y"), minInterval: 1 },
    series: [
      {
        type: "custom",
        encode: { x: [0, 1], y: 2 },
        data: counts.map((count, bin) => [edges[bin]!, edges[bin + 1]!, count]),
        renderItem: (_, api) => {
          const [left, top] = api.coord([api.value(0), api.value(2)]) as [number, number];
          const [right, bottom] = api.coord([api.value(1), 0]) as [number, number];
          const shape = { x: left + 0.5, y: top, width: Math.max(1, right - left - 1), height: bottom - top };
          return { type: "rect", shape, style: { fill: seriesColor(0) } };
        },
      },
    ],
  });
}

/** One group of bars per category. Returns SVG. */
export function bars(options: BarsOptions): string {
  const { categories, series, horizontal = false, width = defaultWidth } = options;
  // Without a browser, text widths are estimates that run short: leave 8 px a letter, and break longer names.
  const longest = 8 * Math.max(0, ...categories.map((name) => name.length));
  const labelRoom = horizontal ? Math.min(longest, width * 0.38) : (width - 80) / Math.max(1, categories.length);
  const category = {
    type: "category" as const,
    data: [...categories],
    inverse: horizontal,
    axisLabel: { color: ink, fontSize, interval: 0, width: labelRoom, overflow: "break" as const },
    axisLine: { lineStyle: { color: grid } },
    axisTick: { show: false },
  };
  const value = valueAxis(options.y, horizontal ? "x" : "y");
  // Bars tell lengths, so their axis starts at nought unless the caller or a negative value says otherwise.
  const scaled = { ...value, scale: false };
  return draw(options, {
    ...(horizontal && {
      grid: { left: labelRoom + 20, right: 22, top: series.length > 1 ? 48 : 14, bottom: 52, outerBoundsMode: "none" },
    }),
    xAxis: horizontal ? scaled : category,
    yAxis: horizontal ? category : scaled,
    legend: legend(series.length),
    series: series.map(({ name, values }, index) => ({
      type: "bar",
      name,
      data: values.map((number) => (Number.isFinite(number) ? number : "-")),
      itemStyle: { color: seriesColor(index) },
      barMaxWidth: 36,
    })),
  });
}

/** Bin edges (one more than counts) and counts. Exported for tests. */
export function countBins({ values, bins, x }: HistogramOptions): { edges: number[]; counts: number[] } {
  const finite = values.filter(Number.isFinite);
  const number = Math.max(1, Math.round(bins ?? Math.ceil(Math.log2(Math.max(1, finite.length))) + 1));
  const low = x.minimum ?? least(finite);
  let high = x.maximum ?? greatest(finite);
  if (!(high > low)) high = low + 1;
  const edges = Array.from({ length: number + 1 }, (_, index) => low + ((high - low) * index) / number);
  const counts = new Array<number>(number).fill(0);
  for (const value of finite) {
    if (value < low || value > high) continue;
    // The last bin contains its upper edge.
    const bin = Math.min(number - 1, Math.floor(((value - low) / (high - low)) * number));
    counts[bin]!++;
  }
  return { edges, counts };
}

const defaultWidth = 560;
const fontSize = 13;
const ink = "var(--chart-ink)";
const muted = "var(--chart-muted)";
const grid = "var(--chart-grid)";

// Okabe and Ito's palette, told apart by colour-blind readers, in a tone for either background.
const light = ["#0072b2", "#d55e00", "#009e73", "#a8578a", "#8a6d00", "#2f7fb5"];
const dark = ["#56b4e9", "#ff9a4d", "#2fcf9f", "#e59ac4", "#f0e442", "#9ccbe8"];

const style = `<style>.acutance-chart{${variables(light, "#1f2328", "#6b7280", "#e1e4e8")}}\
@media(prefers-color-scheme:dark){.acutance-chart{${variables(dark, "#e6edf3", "#9aa4af", "#343b44")}}}</style>`;

function variables(palette: readonly string[], inkColor: string, mutedColor: string, gridColor: string): string {
  const series = palette.map((color, index) => `--chart-${index}:${color}`).join(";");
  return `${series};--chart-ink:${inkColor};--chart-muted:${mutedColor};--chart-grid:${gridColor}`;
}

function seriesColor(index: number): string {
  return `var(--chart-${index % light.length})`;
}

/** Draws one chart in the colours of all. For charts of this folder. */
export function draw(options: ChartOptions, chart: EChartsOption): string {
  const { width = defaultWidth, height = 360, description } = options;
  const instance = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    const hasLegend = chart.legend !== undefined;
    instance.setOption({
      animation: false,
      backgroundColor: "transparent",
      textStyle: { fontFamily: "system-ui, sans-serif", color: ink },
      grid: {
        left: 14,
        right: 22,
        top: hasLegend ? 48 : 22,
        bottom: 14,
        outerBoundsMode: "same",
        outerBoundsContain: "all",
      },
      ...chart,
      series: (chart.series as object[]).map((series) => ({ ...series, silent: true, emphasis: { disabled: true } })),
    });
    const svg = instance.renderToSVGString();
    return svg
      .replace(/^<svg /, `<svg class="acutance-chart" role="img" aria-label="${escapeAttribute(description)}" `)
      .replace(/>/, `>${style}`);
  } finally {
    instance.dispose();
  }
}

function valueAxis({ label, minimum, maximum, logarithmic = false }: Axis, direction: "x" | "y") {
  return {
    type: logarithmic ? ("log" as const) : ("value" as const),
    name: label,
    nameLocation: "middle" as const,
    nameGap: direction === "x" ? 30 : 42,
    nameTextStyle: { color: ink, fontSize },
    min: minimum,
    max: maximum,
    scale: true,
    axisLabel: { color: muted, fontSize, hideOverlap: true },
    axisLine: { show: direction === "x", lineStyle: { color: grid } },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: grid } },
  };
}

function legend(entries: number) {
  if (entries < 2) return undefined;
  return {
    top: 4,
    left: 8,
    itemGap: 26,
    itemWidth: 18,
    itemHeight: 10,
    icon: "roundRect",
    textStyle: { color: ink, fontSize },
  };
}

function line(data: number[][], lineStyle: { color: string; width: number; type?: "solid" | "dashed" }) {
  // A single point would be an invisible line.
  return { type: "line" as const, data, lineStyle, showSymbol: data.length === 1, symbolSize: 6, clip: true };
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

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
