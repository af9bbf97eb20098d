import { createRequire } from "node:module";
import type { EChartsOption } from "echarts";

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
  /** Marks at whole numbers only. */
  readonly whole?: boolean;
}

/** Numbers or points of one colour. */
export interface Named<Values> {
  readonly name: string;
  readonly values: Values;
}

/** CSS pixels between the names of a legend. */
const legendGap = 26;
/** CSS pixels. */
export const defaultWidth = 560;
export const fontSize = 13;
export const ink = "var(--chart-ink)";
export const muted = "var(--chart-muted)";
export const grid = "var(--chart-grid)";

// Okabe and Ito's palette, told apart by colour-blind readers, in a tone for either background.
const light = ["#0072b2", "#d55e00", "#009e73", "#a8578a", "#8a6d00", "#4b5563"];
const dark = ["#56b4e9", "#ff9a4d", "#2fcf9f", "#e59ac4", "#f0e442", "#c3ccd6"];

const style = `<style>.acutance-chart{${variables(light, "#1f2328", "#6b7280", "#e1e4e8")}}\
@media(prefers-color-scheme:dark){.acutance-chart{${variables(dark, "#e6edf3", "#9aa4af", "#343b44")}}}</style>`;

function variables(palette: readonly string[], inkColor: string, mutedColor: string, gridColor: string): string {
  const series = palette.map((color, index) => `--chart-${index}:${color}`).join(";");
  return `${series};--chart-ink:${inkColor};--chart-muted:${mutedColor};--chart-grid:${gridColor}`;
}

/** Colours there are. */
export const colors = light.length;

/** Colour of a series; they repeat after the sixth. */
export function seriesColor(index: number): string {
  return `var(--chart-${index % light.length})`;
}

/** A package that is not installed, since it may be left out, and what needs it. */
export class MissingPackageError extends Error {
  override name = "MissingPackageError";
}

/** The package that draws, which may be left out where nobody wants reports: 70 MB. @throws MissingPackageError */
function loadEcharts(): typeof import("echarts") {
  try {
    return createRequire(import.meta.url)("echarts");
  } catch (cause) {
    throw new MissingPackageError(
      "the package `echarts`, which draws charts, is not installed: `npm install echarts`",
      {
        cause,
      },
    );
  }
}

/** Draws one chart in the colours of all. For charts of this folder. */
export function draw(options: ChartOptions, chart: EChartsOption): string {
  const { width = defaultWidth, height = 360, description } = options;
  const instance = loadEcharts().init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    const { data: names = [] } = (chart.legend ?? {}) as { data?: string[] };
    instance.setOption({
      animation: false,
      backgroundColor: "transparent",
      textStyle: { fontFamily: "system-ui, sans-serif", color: ink },
      grid: {
        left: 14,
        right: 22,
        top: 22 + legendHeight(names, width),
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

export function valueAxis({ label, minimum, maximum, logarithmic = false, whole = false }: Axis, direction: "x" | "y") {
  return {
    ...(whole && { minInterval: 1 }),
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

/** @param labelWidth CSS pixels; longer names are broken */
export function categoryAxis(names: readonly string[], labelWidth: number) {
  return {
    type: "category" as const,
    data: [...names],
    axisLabel: { color: ink, fontSize, interval: 0, width: labelWidth, overflow: "break" as const },
    axisLine: { lineStyle: { color: grid } },
    axisTick: { show: false },
  };
}

/** Categories downwards, and the grid that leaves room for their names. */
export function rowAxis(names: readonly string[], width: number, legendNames: readonly string[]) {
  // Without a browser, text widths are estimates that run short: leave 8 px a letter, and break longer names.
  const longest = 8 * Math.max(0, ...names.map((name) => name.length));
  const room = Math.min(longest, width * 0.38);
  return {
    axis: { ...categoryAxis(names, room), inverse: true },
    grid: {
      left: room + 20,
      right: 22,
      top: 14 + legendHeight(legendNames, width),
      bottom: 52,
      outerBoundsMode: "none" as const,
    },
  };
}

/** CSS pixels that the legend of a chart takes, as its names fill rows of the width. */
export function legendHeight(names: readonly string[], width: number): number {
  if (names.length < 2) return 0;
  let rows = 1;
  let filled = 0;
  for (const name of names) {
    const item = 18 + 5 + 7.5 * name.length;
    if (filled > 0 && filled + item > width - 30) {
      rows++;
      filled = 0;
    }
    filled += item + legendGap;
  }
  return 6 + 23 * rows;
}

/** None for a single series. */
export function legend(names: readonly string[]) {
  if (names.length < 2) return undefined;
  return {
    data: [...names],
    top: 4,
    left: 8,
    itemGap: legendGap,
    itemWidth: 18,
    itemHeight: 10,
    icon: "roundRect",
    textStyle: { color: ink, fontSize },
  };
}

/** A line through points. */
export function line(data: number[][], lineStyle: { color: string; width: number; type?: "solid" | "dashed" }) {
  const itemStyle = { color: lineStyle.color };
  // A single point would be an invisible line.
  return {
    type: "line" as const,
    data,
    lineStyle,
    itemStyle,
    showSymbol: data.length === 1,
    symbolSize: 6,
    clip: true,
  };
}

/** With a disc at every point. */
export function marked<Series extends object>(series: Series, symbolSize: number) {
  return { ...series, showSymbol: true, symbol: "circle", symbolSize };
}

/** The line y = x. */
export function equality(low: number, high: number) {
  const ends = [
    [low, low],
    [high, high],
  ];
  return { ...line(ends, { color: muted, type: "dashed", width: 1 }), z: 1 };
}

function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
