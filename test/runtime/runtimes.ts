import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A JavaScript runtime and how it is told to run this project. */
export interface Runtime {
  readonly name: "Bun" | "Node" | "Deno";
  /** What starts it: its name in PATH, or a path. */
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

/** With the oldest version, the package that brings one, and words that evaluate a program given in a word. */
const known: readonly (Omit<Runtime, "command"> & { least: string; npm: string; evaluate: readonly string[] })[] = [
  {
    name: "Bun",
    least: "1.4",
    npm: "bun@1.4.5",
    evaluate: ["-e"],
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
    evaluate: ["-e"],
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
    evaluate: ["eval"],
    run: ["run", "--allow-all", "--no-check", "--node-modules-dir=manual"],
    test: (files, report) => [
      ...["test", "--allow-all", "--no-check", "--node-modules-dir=manual"],
      ...[`--import-map=${here("imports.json")}`, "--v8-flags=--expose-gc", `--junit-path=${report}`],
      ...[here("run.ts"), "--", ...files],
    ],
  },
];

/**
 * The runtimes, all or those named: from PATH where new enough, else the pinned version that npx brings. The command is then the program itself:
 * npx takes a second of each start.
 */
export function findRuntimes(names: readonly Runtime["name"][] = known.map(({ name }) => name)): (Runtime | Missing)[] {
  const wanted = known.filter(({ name }) => names.includes(name));
  return wanted.map(({ least, npm, evaluate, ...runtime }) => {
    const program = runtime.name.toLowerCase();
    const found = /\d+\.\d+\.\d+/.exec(said([program, "--version"]) ?? "")?.[0];
    if (found && atLeast(found, least)) return { ...runtime, command: [program] };
    const command = ["npx", "--yes", npm];
    const path = said([...command, ...evaluate, "console.log(process.execPath)"])?.trim();
    if (path) return { ...runtime, command: [path] };
    const why = found ? `${program} ${found} is older than ${least}` : `no ${program} in PATH`;
    return { name: runtime.name, missing: `${why}, and \`${command.join(" ")}\` does not start` };
  });
}

/** Those of the named runtimes that are here. */
export function runtimesHere(...names: Runtime["name"][]): Runtime[] {
  return findRuntimes(names).filter((runtime): runtime is Runtime => "command" in runtime);
}

/** What a command prints, or undefined when it does not start or fails. */
function said(command: readonly string[]): string | undefined {
  const [program, ...words] = command;
  const { status, stdout } = spawnSync(program!, words, {
    encoding: "utf8",
    timeout: 300_000,
    // Without a network npm would try for minutes.
    env: { ...process.env, npm_config_fetch_retries: "1" },
    shell: process.platform === "win32",
  });
  return status === 0 ? stdout : undefined;
}

/** Compares the leading numbers of versions. Exported for tests. */
export function atLeast(found: string, least: string): boolean {
  const [a, b] = [found, least].map((text) => text.split(".").map(Number));
  for (const [i, wanted] of b!.entries()) {
    if (a![i] !== wanted) return (a![i] ?? 0) > wanted;
  }
  return true;
}
