import { createHash } from "node:crypto";
import { escapeHtml } from "./words.ts";

/** What stands before the body of a page that is one document. */
export interface PageHead {
  readonly title: string;
  readonly style: string;
  /** What its one script element holds. @default it has none */
  readonly script?: string;
}

/**
 * The beginning of a page that asks for nothing: up to its `<body>`, with a content policy that forbids every request and every script
 * but its own.
 */
export function pageHead({ title, style, script }: PageHead): string {
  const own =
    script === undefined ? "" : ` script-src 'sha256-${createHash("sha256").update(script).digest("base64")}';`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';${own} style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">${script === undefined ? "" : '\n<link rel="icon" href="data:,">'}
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>`;
}
