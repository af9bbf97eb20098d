import { expect, test } from "bun:test";
import { heatMap } from "../../../models/report/heat-map.ts";
import { renderPage } from "../../../models/report/page.ts";

test("a heat map has a cell for each value, the least the lightest, and fits into a page", () => {
  const svg = heatMap({
    description: "times",
    rows: { name: "TILE", values: ["4", "8"] },
    columns: { name: "WG", values: ["32", "64"] },
    cells: [
      [1, 10],
      [undefined, 100],
    ],
    format: (value) => `${value} ms`,
  });
  const fills = [...svg.matchAll(/fill="(rgb\([\d,]+\))"/g)].map(([, fill]) => fill);
  // The ends of the palette, and between them on a logarithmic scale its middle.
  expect(fills).toEqual(["rgb(253,231,37)", "rgb(33,145,140)", "rgb(68,1,84)"]);
  for (const text of ["1 ms", "10 ms", "100 ms", "TILE", "WG", "64"]) expect(svg).toContain(`>${text}<`);
  const figure = { kind: "figure", svg, caption: "c" } as const;
  expect(renderPage({ title: "t", sections: [{ title: "s", blocks: [figure] }] })).toContain("100 ms");
});

test("equal values have the colour of the least", () => {
  const one = { name: "", values: [""] };
  expect(heatMap({ description: "one", rows: one, columns: one, cells: [[3]], format: String })).toContain(
    "rgb(253,231,37)",
  );
});
