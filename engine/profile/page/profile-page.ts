import { readFileSync } from "node:fs";
import type { Profile } from "../profile.ts";
import { inlineScript } from "./inline-script.ts";
import { pageHead } from "./page-head.ts";
import { hostCallTable, machineTable, markList, memoryOwners, roofTable, tiles, tuningLog } from "./profile-parts.ts";
import { dateAndTime, escapeHtml } from "./words.ts";

const styles = ["page", "charts", "table", "detail"] as const;

/** The page's scripts, each before those that import it: they become one. */
const scripts = [
  "format",
  "dom",
  "state",
  "columns",
  "roofline-others",
  "roofline",
  "breakdown",
  "timeline-model",
  "timeline-drawing",
  "timeline-overview",
  "timeline",
  "wgsl",
  "table",
  "detail-source",
  "detail",
  "search",
  "main",
] as const;

/**
 * A kernel profile as one HTML page that needs nothing else: styles, scripts and the profile itself are inside, and a content
 * policy forbids any request. Everything that came from the profile is escaped.
 * @param others profiles whose kernels the roofline shows beside, with their roofs where they are of another adapter
 */
export function profilePage(profile: Profile, others: readonly Profile[] = []): string {
  const script = inlineScript(scripts.map((name) => pageFile(`${name}.js`)));
  const { machine } = profile;
  return `${pageHead({ title: `Kernel profile: ${profile.command}`, style: styles.map((name) => pageFile(`${name}.css`)).join("\n"), script })}
<main>
<header>
<h1>Kernel profile</h1>
<div class="head-tools"><div class="search"><input type="search" id="search" placeholder="search kernels and sources  ( / )" aria-label="search kernels, source lines and assembly" role="combobox" aria-expanded="false" aria-controls="search-hits" aria-autocomplete="list" spellcheck="false" autocomplete="off"><ul id="search-hits" role="listbox" hidden></ul></div>
<button type="button" id="download">Download JSON</button></div>
<p class="command">${escapeHtml(profile.command)}</p>
<p class="machine">${escapeHtml(`${machine.description || machine.vendor} · ${machine.runtime} · ${machine.provider} · ${machine.system} · ${dateAndTime(profile.measuredAt)} · ${clockText(profile)}`)}</p>
</header>
${markList(profile)}
<noscript><p class="marks">Charts and the kernel table need JavaScript; the figures around them do not.</p></noscript>
${tiles(profile)}
${body(profile)}
</main>
${data("profile", profile)}
${othersData(profile, others)}
<script type="module">${script}</script>
</body>
</html>
`;
}

function data(id: string, value: unknown): string {
  return `<script type="application/json" id="${id}">${JSON.stringify(value).replaceAll("<", "\\u003c")}</script>`;
}

function othersData(profile: Profile, others: readonly Profile[]): string {
  if (others.length === 0) return "";
  return data(
    "others",
    others.map((other) => otherOf(profile, other)),
  );
}

/** What the roofline needs of another profile. */
function otherOf(profile: Profile, { command, machine, measuredAt, roofs, kernels }: Profile) {
  const adapter = (of: Profile["machine"]) => of.description || of.vendor;
  const isSame = adapter(machine) === adapter(profile.machine);
  const about = command === profile.command ? dateAndTime(measuredAt) : command;
  return {
    title: isSame ? about : `${about} on ${adapter(machine)}`,
    roofs: isSame ? null : roofs,
    kernels: kernels.map(({ kernel, op, layer, scope, variant, intensity, gflops, share, milliseconds }) => ({
      ...{ kernel, op, layer, scope, variant, intensity, gflops, share, milliseconds },
    })),
  };
}

function body(profile: Profile): string {
  return `<div class="pair">
${panel("Roofline", `<div id="roofline"></div><p class="note" id="roofline-note"></p>`, `<div class="legend"></div>`)}
${panel("Where the time goes", `<div id="breakdown"></div>`, `<div class="legend of-phases"></div><div id="breakdown-by"></div>`)}
</div>
${panel("Timeline", timelineBody(profile), `<div class="tools" id="timeline-tools"></div>`)}
${panel("Kernels", kernelBody, kernelTools)}
<section class="panel" id="detail" aria-label="Selected kernel" aria-live="polite"><p class="empty">Select a kernel in the table, the roofline or the timeline: its constants, shapes, times and source appear here.</p></section>
<div class="pair">
${panel("Memory at the peak", memoryOwners(profile))}
${panel("Roofs of this adapter", roofTable(profile))}
</div>
${profile.hostCalls?.length ? panel("Calls of WebGPU", hostCallTable(profile)) : panel("Tuner log", tuningLog(profile))}
${panel("Machine and clock", machineTable(profile))}
<div id="strip" hidden></div>`;
}

function panel(title: string, content: string, tools = ""): string {
  return `<section class="panel"><div class="head"><h2>${title}</h2>${tools}</div>${content}</section>`;
}

function timelineBody({ eventsLeftOut }: Profile): string {
  const left =
    eventsLeftOut > 0 ? `<p class="note">The last ${eventsLeftOut} dispatches are not in the profile.</p>` : "";
  return `<div id="timeline"></div><div id="timeline-legend"><div class="legend"></div></div>
<p class="note">Drag to move, Ctrl and wheel or + and − to zoom, drag in the overview to choose a range; with the keyboard: arrows, + − 0, and comma and full stop from dispatch to dispatch. Where kernels are narrower than a pixel, height is the busy share.</p>${left}`;
}

const kernelTools = `<div class="tools">
<button type="button" id="filter-group" hidden title="show all groups"></button>
<input type="search" id="filter-text" placeholder="filter: conv layer1 -backward" aria-label="filter kernels: words that must occur, with a minus words that must not" spellcheck="false" autocomplete="off">
<select id="filter-phase" aria-label="phase" autocomplete="off"><option value="">all phases</option></select>
<details class="columns"><summary>columns</summary><div id="column-choice"></div></details>
<span class="note" id="kernel-count" aria-live="polite"></span>
</div>`;

const kernelBody = `<div class="box"><table id="kernel-table"></table></div><p class="empty" id="no-kernel" hidden>No kernel passes the filter.</p>`;

function clockText({ clock }: Profile): string {
  return clock.source === "wall" ? "the host's clock" : `timestamps in steps of ${clock.stepNanoseconds} ns`;
}

function pageFile(name: string): string {
  return readFileSync(new URL(`assets/${name}`, import.meta.url), "utf8");
}
