import { readdir as readFolder } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { onDisk, printable } from "../models/data/files/file-name.ts";
import { entriesOf, type Listing, listFolder, passedOverWords } from "../models/data/files/folder.ts";
import { reasonOf } from "../models/data/files/reason-of.ts";

/** A picture to be scored, or what was left out and why. */
export interface Asked {
  readonly path: string;
  readonly leftOut?: string;
  /** It is what comes by standard input. */
  readonly piped?: true;
}

/**
 * What the arguments of a command name, each once and in order. A named file that does not exist stays, to become a row with an error;
 * so does what might be a picture in a folder and cannot be read.
 */
export async function askedPictures(words: readonly string[], note: (text: string) => void): Promise<Asked[]> {
  const found: Asked[] = [];
  for (const word of words) {
    if (word === "-") {
      found.push({ path: word, piped: true });
      continue;
    }
    const paths = await located(word);
    for (const path of paths) {
      const kind = await stat(onDisk(path)).catch(() => undefined);
      if (kind?.isDirectory()) found.push(...(await below(path, note)));
      else if (kind || !isDynamicPattern(path)) found.push({ path });
      else found.push(...(await matching(path, note)));
    }
  }
  return eachOnce(found);
}

async function below(folder: string, note: (text: string) => void): Promise<Asked[]> {
  let listing: Listing;
  try {
    listing = await listFolder(folder);
  } catch (error) {
    return [{ path: folder, leftOut: `The folder cannot be read: ${reasonOf(error)}.` }];
  }
  const words = passedOverWords(listing);
  if (words) note(`${printable(folder)}: ${words}`);
  const leftOut = listing.leftOut.map(({ name, why }) => ({ name, leftOut: why }));
  const all = [...listing.pictures.map((name) => ({ name })), ...leftOut];
  if (all.length === 0) note(`${printable(folder)} holds no picture`);
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  return all.map(({ name, ...rest }) => ({ path: join(folder, name), ...rest }));
}

async function matching(pattern: string, note: (text: string) => void): Promise<Asked[]> {
  const unread: Asked[] = [];
  // A glob passes over folders that it cannot read without a word.
  const fs = {
    readdir: ((path: string, options: object, done: (error: Error | null, entries: never[]) => void) =>
      readFolder(path, options, (error, entries) => {
        if (error)
          unread.push({ path: asWritten(path, pattern), leftOut: `The folder cannot be read: ${reasonOf(error)}.` });
        done(error, entries as never[]);
      })) as never,
  };
  const matches = await glob(pattern, { absolute: false, fs });
  if (matches.length === 0) note(`nothing matches ${printable(pattern)}`);
  const named = await Promise.all(matches.map((match) => located(join(match))));
  return [...new Set(named.flat())]
    .sort()
    .map((path): Asked => ({ path }))
    .concat(unread);
}

/** A folder's path as the pattern begins: from the root or from here. */
function asWritten(path: string, pattern: string): string {
  const folder = resolve(path);
  return isAbsolute(pattern) ? folder : relative("", folder) || ".";
}

/**
 * Files that an argument may mean. A name that is no UTF-8 comes from the runtime with replacement characters; it is looked for
 * among the names in its folder.
 */
async function located(path: string): Promise<string[]> {
  if (!path.includes("\ufffd") || (await stat(path).catch(() => undefined))) return [path];
  const alike = (name: string) => lossy(name) === lossy(basename(path));
  const found: string[] = [];
  for (const folder of await located(dirname(path))) {
    const entries = await entriesOf(folder).catch(() => []);
    found.push(...entries.filter(({ name }) => alike(name)).map(({ name }) => join(folder, name)));
  }
  return found.length > 0 ? found : [path];
}

/** The name as a runtime that knows only UTF-8 shows it, with one replacement character for any number of them. */
function lossy(name: string): string {
  return Buffer.from(onDisk(name) as Buffer)
    .toString("utf8")
    .replace(/\ufffd+/g, "\ufffd");
}

/** Without those that name a file again that was named before, in whatever way: `a.jpg`, `./a.jpg`. A link is a file of its own. */
async function eachOnce(asked: readonly Asked[]): Promise<Asked[]> {
  const folders = new Map<string, Promise<string>>();
  const realFolder = (folder: string) => {
    let real = folders.get(folder);
    if (!real) {
      real = realpath(onDisk(folder)).catch(() => folder);
      folders.set(folder, real);
    }
    return real;
  };
  const once = new Map<string, Asked>();
  for (const one of asked) {
    const key = join(await realFolder(dirname(one.path)), basename(one.path));
    if (!once.has(key)) once.set(key, one);
  }
  return [...once.values()];
}
