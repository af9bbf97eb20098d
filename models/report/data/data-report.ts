import type { DuplicatePair, Inspection, Summary } from "../../data/index.ts";
import { histogram } from "../chart.ts";
import { type Block, type Page, renderPage, type Section } from "../page.ts";
import { dash, decimals } from "../report-parts.ts";

/** Rows of a list shown at most; the JSON has all. */
const shown = 200;

/** The report of `acutance data inspect` as one HTML document. */
export function dataReport(title: string, inspection: Inspection): string {
  const { pictures, rated, range, rangeSource } = inspection;
  const scale = range ? `, MOS on [${range.join(", ")}] (${rangeSource}), ${inspection.direction}` : "";
  const page: Page = {
    title: `Data set: ${title}`,
    summary: `${pictures} pictures, ${rated} rated${scale}`,
    sections: [scores(inspection), files(inspection), split(inspection)],
  };
  return renderPage(page);
}

function scores({ scores: values, range, mos, opinionSd, histograms }: Inspection): Section {
  if (!mos) return { title: "Scores", blocks: [{ kind: "paragraph", text: "No picture is rated." }] };
  const [minimum, maximum] = range ?? [mos.minimum, mos.maximum];
  const svg = histogram({
    description: `Histogram of ${values.length} mean opinion scores.`,
    x: { label: `MOS (${minimum} to ${maximum})`, minimum, maximum },
    series: [{ name: "MOS", values }],
    bins: 20,
  });
  const rows = [
    ["MOS", ...figures(mos)],
    ...(opinionSd ? [["standard deviation of the opinions on a picture", ...figures(opinionSd)]] : []),
  ];
  const blocks: Block[] = [
    { kind: "figure", svg, caption: "Distribution of the mean opinion scores; higher is better." },
    { kind: "table", headers: ["", "pictures", "lowest", "median", "highest", "mean", "SD"], rows },
  ];
  if (histograms)
    blocks.push({ kind: "paragraph", text: `${histograms} pictures come with the counts of their grades.` });
  return { title: "Scores", blocks };
}

function figures({ count, minimum, median, maximum, mean, sd }: Summary): string[] {
  return [String(count), ...[minimum, median, maximum, mean, sd].map((value) => decimals(value, 2))];
}

function files({ problems, warnings, formats, sizes, excluded }: Inspection): Section {
  const blocks: Block[] = [
    { kind: "table", headers: ["container", "pictures"], rows: Object.entries(formats) },
    {
      kind: "table",
      headers: ["size in pixels", "pictures"],
      rows: sizes.slice(0, 20).map(({ size, count }) => [size, count]),
      caption: sizes.length > 20 ? `The 20 most frequent of ${sizes.length} sizes.` : "Sizes",
    },
  ];
  if (excluded) blocks.push({ kind: "paragraph", text: `${excluded} rows were excluded on request.` });
  for (const text of warnings) blocks.push({ kind: "paragraph", text });
  if (problems.length === 0) blocks.push({ kind: "paragraph", text: "No file is missing or broken." });
  else {
    blocks.push({
      kind: "table",
      headers: ["picture", "problem"],
      rows: problems.slice(0, shown).map(({ name, detail }) => [name, detail]),
      caption: listCaption("missing or broken", problems.length),
    });
  }
  return { title: "Files", blocks };
}

function split({ parts, groups, dividedGroups, leaks, duplicates, unlistedPairs }: Inspection): Section {
  const blocks: Block[] = [];
  if (parts) blocks.push({ kind: "table", headers: ["part", "pictures"], rows: Object.entries(parts) });
  if (groups) {
    const text = `${groups.count} groups of ${groups.minimum} to ${groups.maximum} pictures, median ${groups.median}.`;
    blocks.push({ kind: "paragraph", text });
  }
  if (dividedGroups.length) {
    const names = dividedGroups.slice(0, shown).join(", ");
    blocks.push({ kind: "paragraph", text: `${dividedGroups.length} groups are divided by the split: ${names}.` });
  }
  blocks.push(pairTable("near-duplicates in different parts of the split", leaks));
  blocks.push(pairTable("near-duplicates outside a common group", duplicates));
  if (unlistedPairs) blocks.push({ kind: "paragraph", text: `${unlistedPairs} more pairs are not listed.` });
  return { title: "Split and duplicates", blocks };
}

function pairTable(what: string, pairs: readonly DuplicatePair[]): Block {
  if (pairs.length === 0) return { kind: "paragraph", text: `No ${what}.` };
  return {
    kind: "table",
    headers: ["first", "second", "parts", "same", "differing bits of 128"],
    rows: pairs
      .slice(0, shown)
      .map(({ first, second, parts, same, distance }) => [first, second, parts?.join(" / ") ?? dash, same, distance]),
    caption: listCaption(what, pairs.length),
  };
}

function listCaption(what: string, count: number): string {
  return count > shown ? `${count} ${what}, the first ${shown} shown` : `${count} ${what}`;
}
