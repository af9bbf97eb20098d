import { type ChartOptions, draw } from "./chart-frame.ts";

export interface HeatMapOptions extends ChartOptions {
  readonly rows: { readonly name: string; readonly values: readonly string[] };
  readonly columns: { readonly name: string; readonly values: readonly string[] };
  /** By row, then column, above 0; undefined leaves the cell empty. */
  readonly cells: readonly (readonly (number | undefined)[])[];
  readonly format: (value: number) => string;
}

// Dark to light, even in lightness for colour-blind readers and in print (after viridis).
const palette = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
] as const;

/** A colour of the palette, 0..1 from the dark end, and an ink that can be read on it. */
function colourAt(share: number): { readonly fill: string; readonly ink: string } {
  const place = Math.min(Math.max(share, 0), 1) * (palette.length - 1);
  const [low, high] = [palette[Math.floor(place)]!, palette[Math.ceil(place)]!];
  const mixed = low.map((value, i) => Math.round(value + (place % 1) * (high[i]! - value)));
  return { fill: `rgb(${mixed.join(",")})`, ink: share > 0.55 ? "#000" : "#fff" };
}

/** Values over two categories on a logarithmic scale, the least the lightest. Returns SVG. */
export function heatMap(options: HeatMapOptions): string {
  const { rows, columns, cells, format } = options;
  const known = cells.flat().filter((value) => value !== undefined);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const share = (value: number) => (most > least ? 1 - Math.log(value / least) / Math.log(most / least) : 1);
  const data = cells.flatMap((line, y) => line.flatMap((value, x) => (value === undefined ? [] : [[x, y, value]])));
  const axis = ({ name, values }: HeatMapOptions["rows"]) => ({
    type: "category" as const,
    data: [...values],
    name,
    nameLocation: "middle" as const,
    nameTextStyle: { color: "var(--chart-ink)", fontSize: 13 },
    axisLabel: { color: "var(--chart-ink)", fontSize: 13, interval: 0 },
    axisTick: { show: false },
  });
  return draw(
    { height: Math.max(160, 90 + 44 * rows.values.length), ...options },
    {
      xAxis: { ...axis(columns), nameGap: 30 },
      yAxis: { ...axis(rows), nameGap: 20 + 8 * Math.max(...rows.values.map((value) => value.length)), inverse: true },
      series: [
        {
          type: "custom",
          data,
          renderItem: (_, api) => {
            const value = api.value(2) as number;
            const [x, y] = api.coord([api.value(0), api.value(1)]) as [number, number];
            const [width, height] = api.size!([1, 1]) as [number, number];
            const { fill, ink } = colourAt(share(value));
            const text = {
              text: format(value),
              x,
              y,
              fill: ink,
              fontSize: 13,
              align: "center",
              verticalAlign: "middle",
            };
            const shape = { x: x - width / 2 + 1, y: y - height / 2 + 1, width: width - 2, height: height - 2 };
            return {
              type: "group",
              children: [
                { type: "rect", shape, style: { fill } },
                { type: "text", style: text as object },
              ],
            };
          },
        },
      ],
    },
  );
}
