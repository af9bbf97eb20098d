// `bun run audit`: asks the registry for known faults of the packages that an installation brings. The last line is "N passed, N failed,
// N skipped": failed is each fault of severity high or critical, skipped a registry that does not answer such questions.
import { spawnSync } from "node:child_process";

interface Advisory {
  readonly title: string;
  readonly severity: "low" | "moderate" | "high" | "critical";
  readonly url: string;
}

const { stdout, stderr } = spawnSync(process.execPath, ["audit", "--production", "--json"], { encoding: "utf8" });
const advisories = parsed(stdout);
if (!advisories) {
  console.log(`not audited: ${stderr.trim() || "no answer"}`);
  console.log("0 passed, 0 failed, 1 skipped");
} else {
  const all = Object.entries(advisories).flatMap(([name, list]) => list.map((advisory) => ({ name, ...advisory })));
  for (const { name, severity, title, url } of all) console.log(`${severity}: ${name}: ${title} (${url})`);
  const grave = all.filter(({ severity }) => severity === "high" || severity === "critical").length;
  console.log(`${grave === 0 ? 1 : 0} passed, ${grave} failed, 0 skipped`);
  process.exitCode = grave === 0 ? 0 : 1;
}

/** What the registry said, by package; undefined when it said nothing that can be read. */
function parsed(text: string): Record<string, readonly Advisory[]> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, readonly Advisory[]>) : undefined;
  } catch {
    return undefined;
  }
}
