import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runArguments } from "../engine/device/check.ts";
import { readProfile } from "../engine/profile/compare.ts";
import type { Profile } from "../engine/profile/profile.ts";

/** All events: figures are pooled from them. */
const allEvents = 10_000_000;

/**
 * Profiles a command or a program in a process of its own, without its output.
 * @throws Error with the last of what it said, when it fails
 */
export async function silentProfile(words: readonly string[], flags: readonly string[] = []): Promise<Profile> {
  const folder = mkdtempSync(join(tmpdir(), "acutance-silent-"));
  const file = join(folder, "profile.json");
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const own = [...runArguments(), main, "profile", "--no-roofs", "--events", String(allEvents), "--json", file];
  try {
    const child = spawn(process.execPath, [...own, ...flags, "--", ...words], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) {
      const last = said.trim().split("\n").slice(-12).join("\n");
      throw new Error(`"${words.join(" ")}" failed with code ${code ?? "none"}: its times say nothing\n${last}`);
    }
    return readProfile(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
