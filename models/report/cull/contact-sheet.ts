import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { inlineScript } from "../../../engine/profile/page/inline-script.ts";
import { pageHead } from "../../../engine/profile/page/page-head.ts";
import { asText } from "../../data/files/file-name.ts";

/** A picture of the sheet: with what was decided, or why it could not be looked at. */
export interface SheetPicture {
  readonly path: string;
  readonly error?: string;
  readonly group?: number;
  readonly rank?: number;
  readonly decision?: "keep" | "reject";
  /** Why. */
  readonly words?: string;
  /** Over the sharpest of its group, 0 to 1. */
  readonly sharpness?: number;
  readonly score?: number;
  /** Time of capture, ISO 8601. */
  readonly captured?: string;
  readonly width?: number;
  readonly height?: number;
}

/** The page's scripts, each before those that import it: they become one. */
const scripts = ["state", "exports", "cards", "pages", "keys", "main"] as const;

/** Pictures whose small copies stand together: they are read when one of them is shown. */
const block = 200;

/**
 * A contact sheet as one HTML page that needs nothing else: a strip for each group, choices that can be changed by keyboard and exported. It comes in pieces, as it may be large.
 * @param pictures by group, then rank; those with an error last
 * @param thumbnail a WebP file in base64 of the picture at an index, where there is one
 */
export function* contactSheet(
  pictures: readonly SheetPicture[],
  thumbnail: (index: number) => string | undefined,
): Generator<string, void, undefined> {
  const script = inlineScript(scripts.map((name) => asset(`${name}.js`)));
  const texts = pictures.map((one) => ({
    ...one,
    path: asText(one.path),
    ...(one.words !== undefined && { words: asText(one.words) }),
  }));
  const id = createHash("sha256")
    .update(texts.map(({ path }) => path).join("\n"))
    .digest("hex")
    .slice(0, 16);
  yield `${pageHead({ title: `Contact sheet: ${pictures.length} pictures`, style: asset("sheet.css"), script })}
${asset("body.html")}
${json("sheet", { id, block, pictures: texts })}
`;
  for (let from = 0; from < pictures.length; from += block) {
    const count = Math.min(block, pictures.length - from);
    yield `${json(
      `thumbnails-${from / block}`,
      Array.from({ length: count }, (_, i) => thumbnail(from + i) ?? ""),
    )}\n`;
  }
  yield `<script type="module">${script}</script>\n</body>\n</html>\n`;
}

function json(id: string, value: unknown): string {
  return `<script type="application/json" id="${id}">${JSON.stringify(value).replaceAll("<", "\\u003c")}</script>`;
}

const asset = (name: string) => readFileSync(new URL(`assets/${name}`, import.meta.url), "utf8");
