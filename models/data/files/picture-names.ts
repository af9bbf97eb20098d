import { fileURLToPath } from "node:url";

/**
 * What two names of one picture have in common: Unicode composed, in lower case, blanks as one space and none at the ends of
 * a part, without characters that have no width.
 */
export function pictureKey(path: string): string {
  const visible = path.normalize("NFC").replace(/[\u00ad\u200b-\u200f\u2060\ufeff]/g, "");
  // Upper case first: ß and SS, ς and σ are the same then.
  const lower = visible.toUpperCase().toLowerCase().normalize("NFC");
  return lower
    .replace(/\s+/g, " ")
    .replace(/ ?\/ ?/g, "/")
    .trim();
}

/**
 * The paths that a name in a table may mean, the likeliest first: as it stands, a URL's path, with slashes for backslashes,
 * with percent escapes read. A Windows drive or server comes out as an absolute path.
 */
export function spellings(name: string): string[] {
  const found = new Set([name]);
  const path = pathOfUrl(name) ?? name;
  found.add(path);
  const slashed = withSlashes(path);
  found.add(slashed);
  found.add(unescaped(slashed));
  return [...found];
}

function withSlashes(path: string): string {
  const slashed = path.replaceAll("\\", "/");
  return slashed.replace(/^[a-z]:\/*/i, "/").replace(/^~\//, "/");
}

/** Path of a URL, without its query; undefined for what is none. */
function pathOfUrl(name: string): string | undefined {
  // Two letters at least, so that C:// is a drive.
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(name)) return undefined;
  if (/^file:/i.test(name)) {
    try {
      return fileURLToPath(name);
    } catch {
      // Another computer's: its path is looked at like that of other URLs.
    }
  }
  return `/${name.replace(/^[^:]+:\/\/[^/]*\/?/, "").replace(/[?#].*$/, "")}`;
}

function unescaped(path: string): string {
  if (!/%[0-9a-f]{2}/i.test(path)) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
