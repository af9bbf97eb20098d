import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { inlineScript } from "../../engine/profile/page/inline-script.ts";
import type { Limits } from "./options.ts";

const styles = ["page", "cards", "dialogs"] as const;

/** The page's scripts, each before those that import it. */
const scripts = [
  "dom",
  "state",
  "shown",
  "api",
  "files",
  "queue",
  "thumbnails",
  "filters",
  "grid",
  "charts",
  "heat",
  "viewer",
  "detail",
  "compare",
  "choices",
  "groups",
  "culling",
  "download",
  "export",
  "main",
] as const;

/** The page as it is sent. */
export interface ServicePage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The page of the service: pictures dropped, chosen or pasted are scored and shown by score. It is one document that asks for
 * nothing but the service's own routes, which its content policy enforces.
 */
export function servicePage({ maxBodyBytes, maxPictures, maxQueue }: Limits): ServicePage {
  const script = inlineScript([zipLibrary(), ...scripts.map((name) => pageFile(`${name}.js`))]);
  const style = styles.map((name) => pageFile(`${name}.css`)).join("");
  const policy = [
    "default-src 'none'",
    `script-src 'sha256-${hashOf(script)}'`,
    `style-src 'sha256-${hashOf(style)}'`,
    "img-src blob: data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  const html = pageFile("page.html")
    .replace("<style></style>", () => `<style>${style}</style>`)
    .replace('id="limits">{}<', () => `id="limits">${JSON.stringify({ maxBodyBytes, maxPictures, maxQueue })}<`)
    .replace('<script type="module"><', () => `<script type="module">${script}<`);
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  return { html, headers };
}

/** The library that writes zip files, with its licence, and what the page's scripts import of it. */
function zipLibrary(): string {
  const folder = dirname(createRequire(import.meta.url).resolve("fflate/package.json"));
  const file = (path: string) => readFileSync(join(folder, path), "utf8");
  return `/* fflate\n${file("LICENSE")}*/\n${file("umd/index.js")}\nconst { strToU8, zipSync } = self.fflate;\n`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

function pageFile(name: string): string {
  return readFileSync(new URL(`page/${name}`, import.meta.url), "utf8");
}
