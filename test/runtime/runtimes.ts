import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A JavaScript runtime and how it is told to run this project. */
export interface Runtime {
  readonly name: "Bun" | "Node" | "Deno";
  /** Words that start it: a path, or npx with the package that brings it. */
  readonly command: readonly string[];
  /** Words after the command that run a TypeScript file. */
  readonly run: readonly string[];
  /** Words after the command that run test files and write a JUnit report. */
  readonly test: (files: readonly string[], report: string) => readonly string[];
}

/** A runtime that cannot be had, and why. */
export interface Missing {
  readonly name: Runtime["name"];
  readonly missing: string;
}

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const testTimeoutMs = 120_000;

const known: readonly (Omit<Runtime, "command"> & { least: string; npm: string })[] = [
  {
    name: "Bun",
    least: "1.4",
    npm: "bun@1.4.5",
    run: [],
    test: (files, report) => [
      "test",
      ...["--timeout", String(testTimeoutMs), "--reporter=junit", `--reporter-outfile=${report}`],
      ...files.map((file) => `./${file}`),
    ],
  },
  {
    name: "Node",
    // Runs TypeScript with `using` as it is, and knows import.meta.main.
    least: "24.2",
    npm: "node@24.21.0",
    run: [],
    test: (files, report) => [
      ...["--import", here("node-hooks.ts"), "--expose-gc"],
      ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
      ...["--test-reporter=junit", `--test-reporter-destination=${report}`],
      here("run.ts"),
      ...files,
    ],
  },
  {
    name: "Deno",
    least: "2.9",
    npm: "deno@2.9.6",
    run: ["run", "--allow-all", "--no-check", "--node-modules-dir=manual"],
    test: (files, report) => [
      ...["test", "--allow-all", "--no-check", "--node-modules-dir=manual"],
      ...[`--import-map=${here("imports.json")}`, "--v8-flags=--expose-gc", `--junit-path=${report}`],
      ...[here("run.ts"), "--", ...files],
    ],
  },
];

/** The three runtimes: from PATH where new enough, else the pinned version through npx. */
export function findRuntimes(): (Runtime | Missing)[] {
  return known.map(({ least, npm, ...runtime }) => {
    const program = runtime.name.toLowerCase();
    const found = version([program]);
    if (found && atLeast(found, least)) return { ...runtime, command: [program] };
    const command = ["npx", "--yes", npm];
    if (version(command)) return { ...runtime, command };
    const why = found ? `${program} ${found} is older than ${least}` : `no ${program} in PATH`;
    return { name: runtime.name, missing: `${why}, and \`${command.join(" ")}\` does not start` };
  });
}

/** "24.21.0", or undefined when the command does not start. */
function version(command: readonly string[]): string | undefined {
  const [program, ...words] = [...command, "--version"];
  const { status, stdout } = spawnSync(program!, words, {
    encoding: "utf8",
    timeout: 300_000,
    // Without a network npm would try for minutes.
    env: { ...process.env, npm_config_fetch_retries: "1" },
    shell: process.platform === "win32",
  });
  return status === 0 ? /\d+\.\d+\.\d+/.exec(stdout)?.[0] : undefined;
}

/** Compares the leading numbers of versions. Exported for tests. */
export function atLeast(found: string, least: string): boolean {
  const [a, b] = [found, least].map((text) => text.split(".").map(Number));
  for (const [i, wanted] of b!.entries()) {
    if (a![i] !== wanted) return (a![i] ?? 0) > wanted;
  }
  return true;
}
