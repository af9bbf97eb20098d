import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";

const folder = new URL("./", import.meta.url).pathname;

/**
 * Installs the rivals into this folder from its lockfile, unless they are there in the versions asked for. Whether it
 * worked is seen by each engine that is then opened or not.
 */
export async function installRivals(): Promise<void> {
  const { dependencies } = JSON.parse(await readFile(`${folder}package.json`, "utf8")) as {
    dependencies: Record<string, string>;
  };
  const missing: string[] = [];
  for (const [name, version] of Object.entries(dependencies)) {
    const path = `${folder}node_modules/${name}/package.json`;
    const found = existsSync(path) ? JSON.parse(await readFile(path, "utf8")).version : undefined;
    if (found !== version) missing.push(`${name} ${version}`);
  }
  if (missing.length === 0) return;
  process.stderr.write(`installing into test/bench: ${missing.join(", ")}\n`);
  const install = Bun.spawn([process.execPath, "install", "--frozen-lockfile"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await install.exited) !== 0) {
    process.stderr.write("the installation failed (see above); the table will say which engines are missing\n");
  }
}
