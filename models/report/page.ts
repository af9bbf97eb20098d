import { pageHead } from "../../engine/profile/page/page-head.ts";
import { escapeHtml } from "../../engine/profile/page/words.ts";

export { escapeHtml };

/** One picture of a grid. */
export interface Picture {
  /** The encoded file. */
  readonly data: Uint8Array;
  readonly type: "image/jpeg" | "image/png" | "image/webp" | "image/avif" | "image/gif";
  readonly caption: string;
  /** What the picture shows, for readers who cannot see it; default: the caption. */
  readonly alternative?: string;
}

export type Cell = string | number | null | undefined;

export type Block =
  | { readonly kind: "paragraph"; readonly text: string }
  | {
      readonly kind: "table";
      readonly headers: readonly string[];
      readonly rows: readonly (readonly Cell[])[];
      readonly caption?: string;
    }
  /** `wide`: over the whole width, not beside another. */
  | { readonly kind: "figure"; readonly svg: string; readonly caption: string; readonly wide?: boolean }
  /** Text as it was written, such as JSON. */
  | { readonly kind: "code"; readonly text: string; readonly label: string }
  /** Two texts side by side where the window is wide enough; `marked` are lines, from 0, that stand out. */
  | { readonly kind: "beside"; readonly texts: readonly { text: string; label: string; marked?: readonly number[] }[] }
  | { readonly kind: "pictures"; readonly pictures: readonly Picture[] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

export interface Page {
  readonly title: string;
  /** A line or two under the title: what was run, on what. */
  readonly summary?: string;
  readonly sections: readonly Section[];
}

/**
 * One HTML document that needs nothing else: styles and pictures are inside, and a content policy forbids any request.
 * All texts are escaped.
 * @throws TypeError when a figure is not plain SVG
 */
export function renderPage({ title, summary, sections }: Page): string {
  return `${pageHead({ title, style: css })}
<main>
<header>
<h1>${escapeHtml(title)}</h1>
${summary ? `<p class="summary">${escapeHtml(summary)}</p>` : ""}
</header>
${renderContents(sections)}
${sections.map(renderSection).join("\n")}
</main>
</body>
</html>
`;
}

/** Sections from which a page has links to each. */
const manySections = 5;

function renderContents(sections: readonly Section[]): string {
  if (sections.length < manySections) return "";
  const links = sections.map(({ title }, index) => `<a href="#section-${index + 1}">${escapeHtml(title)}</a>`);
  return `<nav aria-label="Sections">${links.join("\n")}</nav>`;
}

function renderSection({ title, blocks }: Section, index: number): string {
  return `<section id="section-${index + 1}">\n<h2>${escapeHtml(title)}</h2>\n${inRows(blocks).join("\n")}\n</section>`;
}

/** Figures that follow each other stand side by side where the window is wide enough. */
function inRows(blocks: readonly Block[]): string[] {
  const rows: string[] = [];
  let figures: string[] = [];
  const endRow = () => {
    if (figures.length) rows.push(`<div class="charts">${figures.join("\n")}</div>`);
    figures = [];
  };
  for (const block of blocks) {
    if (block.kind === "figure") {
      figures.push(renderBlock(block));
    } else {
      endRow();
      rows.push(renderBlock(block));
    }
  }
  endRow();
  return rows;
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return `<p>${escapeHtml(block.text)}</p>`;
    case "table":
      return renderTable(block.headers, block.rows, block.caption);
    case "code":
      // Long text scrolls in its own box, which the keyboard must reach.
      return renderCode(block);
    case "beside":
      return `<div class="beside">${block.texts.map((text) => `<figure><figcaption>${escapeHtml(text.label)}</figcaption>${renderCode(text)}</figure>`).join("\n")}</div>`;
    case "figure":
      return `<figure class="${block.wide ? "chart wide" : "chart"}"><div class="scroll">${inlineSvg(block.svg)}</div><figcaption>${escapeHtml(block.caption)}</figcaption></figure>`;
    case "pictures":
      return `<div class="pictures">${block.pictures.map(renderPicture).join("\n")}</div>`;
  }
}

function renderCode({ text, label, marked = [] }: { text: string; label: string; marked?: readonly number[] }): string {
  const lines = new Set(marked);
  const body =
    lines.size === 0
      ? escapeHtml(text)
      : text
          .split("\n")
          .map((line, i) => markedLine(line, lines.has(i)))
          .join("\n");
  return `<pre tabindex="0" role="region" aria-label="${escapeHtml(label)}">${body}</pre>`;
}

function markedLine(line: string, marked: boolean): string {
  return marked ? `<mark>${escapeHtml(line)}</mark>` : escapeHtml(line);
}

function renderTable(headers: readonly string[], rows: readonly (readonly Cell[])[], caption?: string): string {
  const numeric = headers.map((_, column) => rows.length > 0 && rows.every((row) => isNumeric(row[column])));
  const mark = (column: number, long = false) => {
    const classes = [...(numeric[column] ? ["number"] : []), ...(long ? ["long"] : [])];
    return classes.length > 0 ? ` class="${classes.join(" ")}"` : "";
  };
  const head = headers
    .map((text, column) => `<th scope="col"${mark(column, text.length > longHeader)}>${escapeHtml(text)}</th>`)
    .join("");
  // A minus that does not pass for a dash.
  const shown = (cell: Cell, column: number) => {
    const text = String(cell ?? "");
    return numeric[column] ? text.replace(/^-(?=\d)/, "−") : text;
  };
  const body = rows.map((row) => {
    const cells = headers.map((_, column) => `<td${mark(column)}>${escapeHtml(shown(row[column], column))}</td>`);
    return `<tr>${cells.join("")}</tr>`;
  });
  const title = caption ? `<caption>${escapeHtml(caption)}</caption>` : "";
  return `<div class="scroll"><table>${title}<thead><tr>${head}</tr></thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`;
}

/** Letters of a header from which its column gets room to break it well. */
const longHeader = 14;

/** A number, perhaps with a unit, or several such as "1 / 3 / 1", "0.8 to 0.9" and "2 of 3". */
function isNumeric(cell: Cell): boolean {
  if (typeof cell !== "string" || /^\d+ (?:h|min) \d\d (?:min|s)$/.test(cell)) return true;
  return /^([-+−]?[\d.,]+( ?[%\w/µ]{1,5}|( (\/|to|of) [-+−]?[\d.,]+)*)|-|–)?$/.test(cell);
}

function renderPicture({ data, type, caption, alternative = caption }: Picture): string {
  const source = `data:${type};base64,${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")}`;
  return `<figure><img src="${source}" alt="${escapeHtml(alternative)}"><figcaption>${escapeHtml(caption)}</figcaption></figure>`;
}

/** Figures come from chart.ts; anything that could run or fetch is refused all the same. */
function inlineSvg(svg: string): string {
  const text = svg.trim();
  if (!text.startsWith("<svg") || /<script|<foreignObject|\son\w+\s*=|(?:href|src)\s*=\s*["'](?!#)/i.test(text)) {
    throw new TypeError(
      `a figure must be plain SVG without scripts or links, got ${JSON.stringify(text.slice(0, 60))}`,
    );
  }
  // HTML knows SVG's elements without their namespaces.
  return text.replace(/ xmlns(:\w+)?="[^"]*"/g, "");
}

const css = `
:root{--ink:#1f2328;--muted:#5b6470;--paper:#fff;--card:#f6f8fa;--line:#d8dee4;--accent:#0072b2}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9aa4af;--paper:#0f1318;--card:#171d24;--line:#2d353f;--accent:#56b4e9}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:70rem;margin:0 auto;padding:2rem 1.25rem 4rem}
header{border-bottom:1px solid var(--line);margin-bottom:2rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.3rem;line-height:1.3;margin:2.5rem 0 .75rem}
p{max-width:48rem;margin:.6rem 0}
h1,h2,p{overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:.9375rem}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible,pre:focus-visible,.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.summary{color:var(--muted);margin-bottom:1.25rem}
.scroll{--ground:var(--paper);overflow-x:auto;background:linear-gradient(to right,var(--ground) 40%,transparent) left/2.5rem 100% local,linear-gradient(to left,var(--ground) 40%,transparent) right/2.5rem 100% local,linear-gradient(to right,var(--line),transparent) left/.5rem 100%,linear-gradient(to left,var(--line),transparent) right/.5rem 100%;background-repeat:no-repeat}
.chart .scroll{--ground:var(--card)}
table{border-collapse:collapse;margin:1rem 0;font-size:.9375rem;font-variant-numeric:tabular-nums}
caption,figcaption{color:var(--muted);font-size:.875rem;text-align:left}
caption{padding-bottom:.4rem;position:sticky;left:0;max-width:min(48rem,calc(100vw - 2.5rem))}
th,td{padding:.4rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;border-bottom-width:2px;vertical-align:bottom}
th:first-child,td:first-child{padding-left:0}
td:first-child:not(.number){min-width:8rem}
.number{text-align:right}
td.number{white-space:nowrap}
th.long{min-width:7.5rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr));gap:1rem;margin:1.25rem 0}
.chart{margin:0;max-width:38rem;min-width:0;padding:.75rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem}
.chart svg{display:block;width:100%;min-width:21rem;height:auto}
.wide{grid-column:1/-1;max-width:none}
.wide svg{min-width:50rem}
pre{max-height:32rem;overflow:auto;margin:1rem 0;padding:.9rem 1rem;background:var(--card);border:1px solid var(--line);border-radius:.5rem;font:.8125rem/1.5 ui-monospace,monospace;tab-size:2}
figcaption{margin-top:.5rem}
mark{background:color-mix(in srgb,var(--accent) 22%,transparent);color:inherit}
.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1rem;width:min(calc(100vw - 2.5rem),110rem);margin-left:50%;transform:translateX(-50%)}
.beside figure{margin:0;min-width:0}
.beside pre{max-height:80vh;margin:.4rem 0}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,9.5rem),1fr));gap:1rem;margin:1.25rem 0}
.pictures figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
.pictures img{display:block;width:100%;aspect-ratio:4/3;object-fit:contain;background:var(--paper)}
.pictures figcaption{margin:0;padding:.5rem .7rem;white-space:pre-line;overflow-wrap:anywhere}

@media(max-width:40rem){main{padding:1.25rem .9rem 3rem}h1{font-size:1.5rem}.chart{padding:.5rem}}
`;
