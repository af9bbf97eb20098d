import type { Measured } from "../../tune/measured.ts";
import { marks, type Profile } from "../profile.ts";
import { bytes, dash, decimals, escapeHtml, percent } from "./words.ts";

/** "840 ns", "12.3 µs", "1.23 ms", "2.34 s"; a dash for what is not a number. */
export function time(ms: number): string {
  const units = ["ns", "µs", "ms", "s"];
  if (!Number.isFinite(ms)) return dash;
  let value = ms * 1e6;
  let unit = 0;
  // What rounds to a thousand belongs to the next unit.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 100 ? value.toFixed(0) : value === 0 ? "0" : value.toPrecision(3)} ${units[unit]}`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

function number(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Why the figures need care; empty without a mark. */
export function markList(profile: Profile): string {
  if (profile.marks.length === 0) return "";
  const items = profile.marks.map(
    (mark) => `<li><strong>${escapeHtml(mark)}</strong>: ${escapeHtml(marks[mark])}</li>`,
  );
  return `<ul class="marks" aria-label="Read the figures with care">${items.join("")}</ul>`;
}

interface Tile {
  readonly title: string;
  readonly key: string;
  readonly value: number;
  readonly text: string;
  readonly aside: string;
  readonly explanation: string;
}

/** The profile in a handful of figures. */
export function tiles(profile: Profile): string {
  const { span, overhead, memory, kernels } = profile;
  const owner = memory.owners[0];
  const atRoofs = profile.roofs
    ? kernels.reduce((sum, { roof, milliseconds }) => sum + milliseconds.total * Math.min(1, roof?.share ?? 1), 0)
    : Number.NaN;
  const perDispatch = overhead.microsecondsPerDispatch;
  const all: Tile[] = [
    tile("GPU span", "gpuMs", span.gpuMs, time, `wall ${time(span.wallMs)}`, "from the first timestamp to the last"),
    tile(
      "Busy",
      "busyMs",
      span.busyMs,
      time,
      `${percent(span.busyMs, span.gpuMs)} of the span`,
      "sum over all kernels",
    ),
    tile("Idle", "idleMs", span.idleMs, time, `${percent(span.idleMs, span.gpuMs)} of the span`, "no kernel ran"),
    tile(
      "At their roofs",
      "atRoofs",
      atRoofs,
      time,
      profile.roofs ? `${percent(atRoofs, span.busyMs)} of busy` : "no roofs measured",
      "what the same kernels would take if each reached the roof that binds it",
    ),
    tile(
      "Host encode",
      "hostEncodeMs",
      span.hostEncodeMs,
      time,
      span.dispatches > 0 ? `${time(span.hostEncodeMs / span.dispatches)} a dispatch` : "",
      "host time spent in recording and encoding dispatches",
    ),
    tile(
      "Dispatches",
      "dispatches",
      span.dispatches,
      count,
      `${number(span.submits, "submit")}, ${number(kernels.length, "kernel")}`,
      "calls of kernels",
    ),
    tile(
      "Peak memory",
      "peakBytes",
      memory.peakBytes,
      bytes,
      owner ? `${percent(owner.atPeakBytes, memory.peakBytes)} ${owner.owner}` : "",
      "and who held most of it",
    ),
    tile(
      "Profiling cost",
      "overheadMs",
      overhead.hostMs,
      time,
      perDispatch === null ? "of the host" : `of the host; ${time(perDispatch / 1e3)} a dispatch`,
      "host time spent in profiling, and what splitting passes adds to a dispatch",
    ),
  ];
  return `<dl class="tiles">${all.map(tileHtml).join("")}</dl>`;
}

function tile(
  title: string,
  key: string,
  value: number,
  text: (value: number) => string,
  aside: string,
  explanation: string,
): Tile {
  return { title, key, value, text: text(value), aside, explanation };
}

function tileHtml({ title, key, value, text, aside, explanation }: Tile): string {
  return `<div class="tile" title="${escapeHtml(explanation)}"><dt>${title}</dt><dd class="figure" data-key="${key}" data-value="${value}">${escapeHtml(text)}</dd><dd class="aside">${escapeHtml(aside)}</dd></div>`;
}

/** Who held how much at the peak. */
export function memoryOwners({ memory }: Profile): string {
  if (memory.owners.length === 0) return `<p class="empty">Nothing was allocated.</p>`;
  const most = memory.owners[0]!.atPeakBytes;
  const rows = memory.owners.map(
    ({ owner, atPeakBytes }) =>
      `<li><button type="button" disabled><span class="name" title="${escapeHtml(owner)}">${escapeHtml(owner)}</span><span class="bar"><i style="width:${((100 * atPeakBytes) / Math.max(1, most)).toFixed(2)}%;background:var(--accent)"></i></span><span class="value">${bytes(atPeakBytes)}</span><span class="value">${percent(atPeakBytes, memory.peakBytes)}</span></button></li>`,
  );
  return `<ol class="bars owners">${rows.join("")}</ol>`;
}

/** Everything that was measured of the adapter. */
export function roofTable({ roofs }: Profile): string {
  if (!roofs) return `<p class="empty">No roofs were measured: shares of a roof are not known.</p>`;
  const rows: [string, Measured, string][] = [
    ["multiply-adds, f32", roofs.fmaGflops, "GFLOP/s"],
    ...(roofs.f16FmaGflops
      ? [["multiply-adds, f16", roofs.f16FmaGflops, "GFLOP/s"] as [string, Measured, string]]
      : []),
    ["multiply-adds, i32", roofs.integerGops, "GOP/s"],
    ...roofs.copyGBps.map(({ bytes: size, rate }): [string, Measured, string] => [
      `copy in ${bytes(size)}`,
      rate,
      "GB/s",
    ]),
    ...roofs.readGBps.map(({ bytes: size, rate }): [string, Measured, string] => [
      `read of ${bytes(size)}`,
      rate,
      "GB/s",
    ]),
    ["workgroup memory, read", roofs.workgroupGBps, "GB/s"],
    ["buffer to buffer", roofs.bufferCopyGBps, "GB/s"],
    ["upload", roofs.uploadGBps, "GB/s"],
    ["a dispatch in a pass", roofs.dispatchMicroseconds, "µs"],
    ["recording a dispatch", roofs.encodeMicroseconds, "µs"],
    ["a pass of one dispatch", roofs.passMicroseconds, "µs"],
    ["a submit of one pass", roofs.submitMicroseconds, "µs"],
    ["read-back of 4 bytes", roofs.readbackMicroseconds, "µs"],
  ];
  const figure = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const html = rows.map(
    ([name, { median, least, most }, unit]) =>
      `<tr><td>${name}</td><td class="number">${figure(median)}</td><td class="number">${figure(least)} – ${figure(most)}</td><td>${unit}</td></tr>`,
  );
  return `<div class="scroll"><table class="facts-table"><thead><tr><th>roof</th><th class="number">median</th><th class="number">range</th><th>unit</th></tr></thead><tbody>${html.join("")}</tbody></table></div>`;
}

/** What a program's calls of WebGPU took the host. */
export function hostCallTable({ hostCalls = [] }: Profile): string {
  const rows = hostCalls.map(
    ({ call, calls, milliseconds, bytes: moved }) =>
      `<tr><td>${escapeHtml(call)}</td><td class="number">${count(calls)}</td><td class="number">${time(milliseconds)}</td><td class="number">${moved > 0 ? bytes(moved) : ""}</td></tr>`,
  );
  return `<div class="scroll"><table class="facts-table"><thead><tr><th>method</th><th class="number">calls</th><th class="number">host time</th><th class="number">moved</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

/** Each choice with the times of all ways, the fastest first. */
export function tuningLog({ tunings }: Profile): string {
  if (tunings.length === 0) return `<p class="empty">The tuner chose nothing during this profile.</p>`;
  const head = `<p class="note">${count(tunings.length)} choices; behind each the factor by which the slowest way is slower than the chosen one.</p>`;
  return head + tunings.map(tuning).join("");
}

function tuning({ key, chosen, times }: Profile["tunings"][number]): string {
  const sorted = times.toSorted((a, b) => a.milliseconds - b.milliseconds);
  const slowest = sorted.at(-1)?.milliseconds ?? 0;
  const winner = times.find(({ way }) => way === chosen);
  const ratio = winner && winner.milliseconds > 0 ? `${decimals(slowest / winner.milliseconds, 2)} ×` : dash;
  const rows = sorted.map(
    ({ way, milliseconds, spread }) =>
      `<li${way === chosen ? ' class="chosen"' : ""}><span>${escapeHtml(way)}${way === chosen ? " ✓" : ""}</span><span><i class="meter" style="display:block;width:${((100 * milliseconds) / Math.max(slowest, 1e-12)).toFixed(2)}%"></i></span><span class="value" data-value="${milliseconds}">${time(milliseconds)} ± ${time(spread)}</span></li>`,
  );
  return `<details class="tuning"><summary><span title="${escapeHtml(key)}">${escapeHtml(key)}</span><span>${escapeHtml(chosen)}</span><span>${winner ? time(winner.milliseconds) : dash}</span><span>${ratio}</span></summary><ol>${rows.join("")}</ol></details>`;
}

/** What the figures hold for. */
export function machineTable({ machine, clock, overhead, marks: given, measuredAt, conditions }: Profile): string {
  const rows: [string, string][] = [
    ["adapter", [machine.description, machine.vendor, machine.architecture].filter(Boolean).join(", ")],
    ["runtime", `${machine.runtime}, ${machine.provider}`],
    ["system", machine.system],
    ["subgroups of", machine.subgroupSize > 0 ? String(machine.subgroupSize) : "unknown size"],
    ["features", machine.features.join(", ")],
    ["measured at", measuredAt],
    [
      "clock",
      clock.source === "wall"
        ? marks["wall-clock"]
        : `timestamps at the ends of passes, in steps of ${clock.stepNanoseconds} ns; each dispatch has a pass of its own while profiling`,
    ],
    ...alignmentRows(clock.alignment),
    ...(conditions ? [["meanwhile", conditionText(conditions)] as [string, string]] : []),
    [
      "cost of profiling",
      `${time(overhead.hostMs)} of the host${overhead.microsecondsPerDispatch === null ? "" : `, ${time(overhead.microsecondsPerDispatch / 1e3)} a dispatch for splitting passes`}`,
    ],
    ["marks", given.length > 0 ? given.join(", ") : "none"],
  ];
  const html = rows.map(([name, value]) => `<tr><td>${name}</td><td>${escapeHtml(value)}</td></tr>`);
  return `<div class="scroll"><table class="facts-table"><tbody>${html.join("")}</tbody></table></div>`;
}

function alignmentRows(alignment: Profile["clock"]["alignment"]): [string, string][] {
  if (!alignment) return [];
  const { uncertaintyMs, driftMs } = alignment;
  const drift = driftMs === 0 ? "no drift beyond that" : `${time(Math.abs(driftMs))} of drift at the end beyond that`;
  return [["clocks", `the adapter's laid on the host's to ± ${time(uncertaintyMs)}, ${drift}`]];
}

function conditionText({ othersCores, taintedShare, slowdown, runs }: NonNullable<Profile["conditions"]>): string {
  return [
    `others kept ${decimals(othersCores.median, 2)} processors busy, ${decimals(othersCores.most, 2)} at most`,
    `${percent(taintedShare, 1)} of the calls are tainted`,
    `kernels ran ${decimals(slowdown, 2)} × as long in the last third as in the first`,
    ...(runs > 1 ? [`${runs} runs`] : []),
  ].join("; ");
}
