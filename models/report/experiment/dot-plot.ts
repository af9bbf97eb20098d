import type { EChartsOption } from "echarts";
import {
  type Axis,
  type ChartOptions,
  defaultWidth,
  draw,
  ink,
  legend,
  legendHeight,
  muted,
  rowAxis,
  seriesColor,
  valueAxis,
} from "../chart-frame.ts";

/** One row: what a variant reached in each repeat. */
export interface DotRow {
  readonly name: string;
  /** By repeat; NaN leaves a gap. */
  readonly values: readonly number[];
  /** A bar over the row, such as the median or mean. */
  readonly middle?: number;
  /** Ends of a line through the middle. */
  readonly interval?: readonly [low: number, high: number];
}

export interface DotPlotOptions extends ChartOptions {
  readonly x: Axis;
  readonly rows: readonly DotRow[];
  /** Names of the repeats, for the legend. */
  readonly repeats: readonly string[];
  /** A vertical line to compare with. */
  readonly reference?: number;
}

/** Repeats that are told apart by colour. */
const mostColours = 6;
/** Pixels between the dots of neighbouring repeats in a row, so that equal values are seen. */
const lane = 4;

/** Rows of dots downwards, one for each repeat, with a middle and an interval. Returns SVG. */
export function dotPlot(options: DotPlotOptions): string {
  const { x, rows, repeats, reference, width = defaultWidth } = options;
  const coloured = repeats.length <= mostColours;
  const names = coloured ? [...repeats] : [];
  const { axis, grid } = rowAxis(
    rows.map(({ name }) => name),
    width,
    names,
  );
  const gap = Math.min(lane, 16 / repeats.length);
  const series: EChartsOption["series"] & object[] = [
    {
      type: "custom",
      data: rows.flatMap(({ interval }, row) => (interval ? [[interval[0], row, interval[1]]] : [])),
      encode: { x: [0, 2], y: 1 },
      renderItem: (_, api) => {
        const [left, middle] = api.coord([api.value(0), api.value(1)]) as [number, number];
        const [right] = api.coord([api.value(2), api.value(1)]) as [number, number];
        return {
          type: "line",
          shape: { x1: left, y1: middle, x2: right, y2: middle },
          style: { stroke: muted, lineWidth: 2 },
        };
      },
    },
    {
      type: "scatter",
      data: rows.flatMap(({ middle }, row) => (Number.isFinite(middle) ? [[middle!, row]] : [])),
      symbol: "rect",
      symbolSize: [4, 20],
      itemStyle: { color: ink },
    },
    ...repeats.map((name, repeat) => ({
      type: "scatter" as const,
      name,
      data: rows.flatMap(({ values }, row) => (Number.isFinite(values[repeat]) ? [[values[repeat]!, row]] : [])),
      symbolSize: 9,
      symbolOffset: [0, Math.round((repeat - (repeats.length - 1) / 2) * gap)],
      itemStyle: { color: seriesColor(coloured ? repeat : 0), opacity: 0.85 },
    })),
  ];
  if (reference !== undefined) {
    const markLine = { symbol: "none", label: { show: false }, lineStyle: { color: muted, width: 1 }, silent: true };
    series.push({
      type: "scatter",
      data: [],
      markLine: { ...markLine, data: [{ xAxis: reference }] },
    });
  }
  return draw(
    { height: 70 + legendHeight(names, width) + 32 * rows.length, ...options },
    { grid, xAxis: valueAxis(x, "x"), yAxis: axis, legend: legend(names), series },
  );
}
