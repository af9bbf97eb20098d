import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** A package that comes with an installation of this one. */
export interface Production {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, as the package states it; "" where it states none. */
  readonly licence: string;
  /** Packages that ask for it; empty for those of our own `package.json`. */
  readonly askedBy: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string | { readonly type?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * All packages that `dependencies` bring, with what those bring, as installed on this machine and sorted by name. Optional ones of other
 * platforms are not installed here and so are left out.
 * @param root the folder of our `package.json`
 * @throws Error when a package that is not optional is not installed
 */
export function productionPackages(root: string): Production[] {
  const found = new Map<string, Production & { askedBy: string[] }>();
  const visit = (folder: string, asking: string | undefined): void => {
    const { dependencies = {}, optionalDependencies = {} } = manifestOf(folder);
    for (const name of new Set([...Object.keys(dependencies), ...Object.keys(optionalDependencies)])) {
      const place = installedAt(folder, name);
      if (!place) {
        if (name in optionalDependencies) continue;
        throw new Error(`${name}, which ${folder} asks for, is not installed; run \`bun install\``);
      }
      const { version, license } = manifestOf(place);
      const key = `${name}@${version}`;
      const known = found.get(key);
      const entry = known ?? { name, version, licence: licenceOf(license), askedBy: [] };
      if (asking !== undefined && !entry.askedBy.includes(asking)) entry.askedBy.push(asking);
      if (known) continue;
      found.set(key, entry);
      visit(place, name);
    }
  };
  visit(root, undefined);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

function licenceOf(license: Manifest["license"]): string {
  return typeof license === "string" ? license : (license?.type ?? "");
}

/** Where a package that `folder` asks for is found: in the nearest `node_modules` above. */
function installedAt(folder: string, name: string): string | undefined {
  for (let at = realpathSync(folder); ; at = dirname(at)) {
    const place = join(at, "node_modules", name);
    if (existsSync(join(place, "package.json"))) return realpathSync(place);
    if (dirname(at) === at) return undefined;
  }
}
