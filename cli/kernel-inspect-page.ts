import { type Block, renderPage, type Section } from "../models/report/page.ts";
import {
  failuresOf,
  figureRows,
  type InspectReport,
  type InspectResult,
  inspectionsOf,
  sweepHeaders,
  sweepRows,
} from "./kernel-inspect-report.ts";

const summary =
  "What the compilers of GPUs make of it. Estimates are the compiler's, in cycles, and no measurement: they compare kernels on one GPU. The hottest loop is marked.";

/** One HTML document: figures by GPU, and WGSL and assembly side by side; of a sweep its table. */
export function inspectPage(report: InspectReport): string {
  const { kernel, swept, results } = report;
  if (swept.length === 0) return renderPage({ title: kernel, summary, sections: kernelSections(results[0]!) });
  const { rows, problems } = sweepRows(report);
  const paragraphs = problems.map((text): Block => ({ kind: "paragraph", text }));
  const section: Section = {
    title: "By estimate",
    blocks: [
      { kind: "table", headers: sweepHeaders(report), rows: rows.map((row) => row.map((cell) => String(cell ?? ""))) },
      ...paragraphs,
    ],
  };
  return renderPage({ title: `Sweep of ${kernel}`, summary, sections: [section] });
}

function kernelSections({ wgsl, outcomes }: InspectResult): Section[] {
  const found = inspectionsOf(outcomes);
  const [head = [], ...rows] = figureRows(found);
  // Pages take blanks at the start of a name away, which show what it belongs to.
  const shown = rows.map(([name = "", ...cells]) => [
    name.replace(/^ +/, (blanks) => "\u00a0".repeat(blanks.length)),
    ...cells,
  ]);
  const table: Block[] = found.length > 0 ? [{ kind: "table", headers: head, rows: shown }] : [];
  const problems = failuresOf(outcomes).map((text): Block => ({ kind: "paragraph", text }));
  return [
    { title: "Figures", blocks: [...table, ...problems] },
    ...found.map(
      ({ gpu, wave, assembly, hottestLoop }): Section => ({
        title: `${gpu}, waves of ${wave}`,
        blocks: [
          {
            kind: "beside",
            texts: [
              { label: "WGSL, specialised", text: wgsl },
              { label: "Assembly", text: assembly, ...(hottestLoop && { marked: hottestLoop.lines }) },
            ],
          },
        ],
      }),
    ),
  ];
}
