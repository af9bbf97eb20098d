import type { Section } from "../page.ts";
import { dash, decimals, duration, paragraph, pictureCount, sum } from "../report-parts.ts";
import type { ExperimentRecord } from "./experiment-record.ts";
import { repeatName, resultOf } from "./experiment-values.ts";

/** Every run: what it was made of, and why it failed. */
export function runs(record: ExperimentRecord): Section {
  const rows = record.variants.flatMap((variant) =>
    variant.runs.map((run) => {
      const { parts, trainings } = run;
      const ranked = parts.ranked ? ` + ${parts.ranked} ranked sets` : "";
      const noisy = parts.noisy ? ` (${parts.noisy} with noise)` : "";
      return [
        variant.name,
        repeatName(run.repeat),
        run.status + (run.error ? `: ${run.error}` : ""),
        `${parts.labelled}${ranked}${noisy} / ${parts.unlabelled} / ${parts.validation ? `${parts.validation} / ` : ""}${parts.test}`,
        decimals(resultOf(run, "test")?.srcc, 3),
        trainings.length ? duration(sum(trainings.map(({ seconds }) => seconds))) : dash,
        trainings
          .map(({ stage, key, cached }) => `${stage}:\u00a0${key.slice(0, 8)}${cached ? "\u00a0(kept)" : ""}`)
          .join(", "),
      ];
    }),
  );
  const validation = record.variants.some(({ runs }) => runs.some(({ parts }) => parts.validation > 0));
  const headers = [
    "variant",
    "repeat",
    "status",
    `labelled / unlabelled / ${validation ? "validation / " : ""}test`,
    "test SRCC",
    "training",
    "stage: key of the training",
  ];
  return {
    title: "Runs",
    blocks: [
      { kind: "table", headers, rows, caption: "Kept: the training was finished before this call and was used again." },
      ...record.notes.map((note) => paragraph(note)),
    ],
  };
}

/** What each variant changes. */
export function variantTable({ variants, baseline }: ExperimentRecord): Section {
  const rows = variants.map(({ name, changes }) => [
    name,
    changesOf(changes) || (name === baseline ? "nothing" : dash),
  ]);
  return { title: "Variants", blocks: [{ kind: "table", headers: ["variant", "what it changes of the base"], rows }] };
}

function changesOf(changes: Readonly<Record<string, unknown>>): string {
  return Object.entries(changes)
    .map(([name, value]) => `${name} = ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** What the experiment was asked to do, and where it ran. */
export function recipe({ description, recipe, command, hardware, variants }: ExperimentRecord): Section {
  const pictures = variants[0]?.runs[0]?.parts;
  const facts = [
    ["command", command],
    ["adapter", hardware.adapter],
    ["runtime", hardware.runtime],
    ["platform", [hardware.platform, hardware.cores > 0 && `${hardware.cores} cores`].filter(Boolean).join(", ")],
    ["test part", pictures ? pictureCount(pictures.test) : ""],
  ].filter(([, value]) => value);
  return {
    title: "Recipe",
    blocks: [
      ...(description ? [paragraph(description)] : []),
      { kind: "table", headers: ["what", "value"], rows: facts },
      { kind: "code", text: JSON.stringify(recipe, null, 2), label: "The recipe as JSON" },
    ],
  };
}
