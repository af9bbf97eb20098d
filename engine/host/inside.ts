import { isAbsolute, relative, resolve, sep } from "node:path";

/**
 * The path of what lies in a folder, relative to it; undefined of the folder itself and of what lies outside, on another drive too. Links are not
 * followed. A name that begins with two dots, such as `..new`, is one like others.
 */
export function inside(folder: string, path: string): string | undefined {
  const name = relative(resolve(folder), resolve(folder, path));
  return name === "" || name === ".." || name.startsWith(`..${sep}`) || isAbsolute(name) ? undefined : name;
}
