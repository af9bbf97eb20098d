import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/**
 * The user's folder for what can be found out again: `ACUTANCE_CACHE` if set, else `acutance` in the system's own place
 * (`XDG_CACHE_HOME` or ~/.cache; ~/Library/Caches on macOS; `LOCALAPPDATA` on Windows). It need not exist; undefined for a user
 * who has no home.
 */
export function cacheFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
): string | undefined {
  const own = environment["ACUTANCE_CACHE"];
  if (own) return resolve(own);
  if (platform === "win32") {
    return below(environment["LOCALAPPDATA"] || home("AppData", "Local"), "acutance", "cache");
  }
  if (platform === "darwin") return home("Library", "Caches", "acutance");
  const shared = environment["XDG_CACHE_HOME"];
  // The XDG base directory specification has relative paths ignored.
  return below(shared && isAbsolute(shared) ? shared : home(".cache"), "acutance");
}

function below(folder: string | undefined, ...names: readonly string[]): string | undefined {
  return folder && join(folder, ...names);
}

/** A folder in the user's home. A user without a name in the system and without HOME has none. */
function home(...names: readonly string[]): string | undefined {
  try {
    return below(homedir(), ...names);
  } catch {
    return undefined;
  }
}
