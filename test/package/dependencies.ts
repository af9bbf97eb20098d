// `bun run dependencies`: the packages that an installation brings, with licence and last release, as Markdown. The dates come from
// the registry; without it they are left out.
import { spawnSync } from "node:child_process";
import { productionPackages } from "./production.ts";

/** Day of the newest release that is no pre-release, "?" where the registry does not say. */
function lastRelease(name: string): string {
  const { status, stdout } = spawnSync("npm", ["view", name, "time", "--json"], { encoding: "utf8" });
  if (status !== 0) return "?";
  const times = JSON.parse(stdout) as Record<string, string>;
  const released = Object.keys(times).filter((version) => /^\d+\.\d+\.\d+$/.test(version));
  return (
    released
      .map((version) => times[version]!.slice(0, 10))
      .sort()
      .at(-1) ?? "?"
  );
}

const packages = productionPackages(new URL("../../", import.meta.url).pathname);
const rows = packages.map(({ name, version, licence, askedBy }) => [
  name,
  version,
  licence,
  lastRelease(name),
  askedBy.join(", "),
]);
console.log(
  ["| package | version | licence | last release | asked for by |", "| --- | --- | --- | --- | --- |"].join("\n"),
);
for (const row of rows) console.log(`| ${row.join(" | ")} |`);
