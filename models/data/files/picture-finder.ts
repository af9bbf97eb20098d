import { basename, isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import { pictureExtensions } from "./folder.ts";
import { pictureKey, spellings } from "./picture-names.ts";

/**
 * What a name was found by. `exact`: its path. `similar`: the only picture whose path reads the same but for letter case,
 * Unicode form, blanks, its extension left out, or folders above it. `guess`: as similar, when folders in the name that are
 * not there, or another extension, are passed over.
 */
export type Found =
  | { readonly path: string; readonly by: "exact" | "similar" | "guess" }
  | { readonly why: string; readonly telling?: true };

/** Extensions a name in a CSV may have, beside those of pictures that can be read. */
const otherExtensions =
  "bmp dib png ppm pgm pnm tga psd raw dng cr2 cr3 nef arw orf rw2 raf jp2 j2k jxl jxr exr hdr".split(" ");
const knownExtensions = new Set([...pictureExtensions, ...otherExtensions]);

/** Finds the file that a name in a CSV means, among the pictures of a folder. */
export class PictureFinder {
  readonly #folder: string;
  readonly #names: ReadonlySet<string>;
  readonly #byKey = new Map<string, string | null>();

  /** @param names relative paths, as `listPictures` gives them */
  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.#names = new Set(names);
    for (const name of names) {
      for (const tail of tails(pictureKey(name))) {
        for (const key of new Set([tail, stem(tail)])) {
          // null marks a key that more than one file answers to.
          this.#byKey.set(key, this.#byKey.has(key) ? null : name);
        }
      }
    }
  }

  /** Path of a listed picture. */
  pathOf(name: string): string {
    return join(this.#folder, name);
  }

  /**
   * Path of the picture called `name`: exactly, or else the only one that differs in case, lacks the extension in the
   * name, or lies in a subfolder. For a BMP that is not there, a copy in another container is found.
   */
  find(name: string): string | { readonly why: string } {
    const found = this.locate(name);
    if ("path" in found) return found.by === "guess" ? { why: this.#absent() } : found.path;
    return found;
  }

  /**
   * As `find`, for a name as people write it: a path of this or another computer, with slashes or backslashes, a URL, percent
   * escapes.
   * @param base folder that a relative path may also start from, such as that of the CSV
   */
  locate(name: string, base?: string): Found {
    let first: Found | undefined;
    for (const spelling of spellings(name)) {
      const found = this.#locate(spelling, base);
      if ("path" in found) return found;
      // The first refusal that knows more than that there is none.
      if (!first || (!("telling" in first) && "telling" in found)) first = found;
    }
    return first!;
  }

  /** One of the pictures there are, to be shown beside names that are not found. */
  get example(): string | undefined {
    return this.#names.values().next().value;
  }

  #locate(name: string, base: string | undefined): Found {
    const folder = resolve(this.#folder);
    const starts = base === undefined || isAbsolute(name) ? [folder] : [folder, resolve(base)];
    const within = starts.map((start) => relative(folder, resolve(start, name)).split(sep).join("/")).filter(isBelow);
    for (const path of within) if (this.#names.has(path)) return { path: this.pathOf(path), by: "exact" };
    // The way a path leaves its start is not known here; what it names at the end may still say which folder is meant.
    const plain = posix.normalize(name).replace(/^(\.\.?\/|\/)+/, "");
    const own = this.#withoutOwnFolders(plain);
    for (const path of own === undefined ? within : [...within, own]) {
      const similar = this.#similar(pictureKey(path));
      if (similar) return similar;
    }
    if (within.length === 0 && !isAbsolute(name))
      return { why: `this path leaves ${this.#folder}, which must hold all pictures.`, telling: true };
    return this.#guess(pictureKey(plain)) ?? { why: this.#absent() };
  }

  #similar(key: string): Found | undefined {
    const converted = key.endsWith(".bmp") && !this.#byKey.has(key);
    return this.#answer(converted ? stem(key) : key, "similar");
  }

  /** The longest end of a path that there is a picture for; then the same with another extension. */
  #guess(key: string): Found | undefined {
    const ends = tails(key);
    for (const end of ends) {
      const found = this.#answer(end, "guess");
      if (found) return found;
    }
    if (!knownExtensions.has(key.slice(key.lastIndexOf(".") + 1))) return undefined;
    for (const end of ends) {
      const found = this.#answer(stem(end), "guess");
      if (found) return found;
    }
    return undefined;
  }

  #answer(key: string, by: "similar" | "guess"): Found | undefined {
    const name = this.#byKey.get(key);
    if (name === undefined) return undefined;
    if (name !== null) return { path: this.pathOf(name), by };
    return { why: `several pictures below ${this.#folder} have this name; give the path.`, telling: true };
  }

  /** What is left of images/a.jpg when the folder itself is called images; of study/images/a.jpg when it is study/images. */
  #withoutOwnFolders(name: string): string | undefined {
    const own = resolve(this.#folder).split(sep).map(pictureKey);
    const parts = name.split("/");
    for (let depth = Math.min(parts.length - 1, own.length); depth > 0; depth--) {
      const head = parts.slice(0, depth).map(pictureKey);
      if (own.slice(-depth).join("/") === head.join("/")) return parts.slice(depth).join("/");
    }
    return undefined;
  }

  #absent(): string {
    return `there is no such picture in ${this.#folder}.`;
  }
}

function isBelow(path: string): boolean {
  return path !== "" && path !== ".." && !path.startsWith("../") && !isAbsolute(path);
}

/** A path, the same without its first folder, without its first two, and so on. */
function tails(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(i).join("/"));
}

/** Name without its extension. */
function stem(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > name.length - basename(name).length ? name.slice(0, dot) : name;
}
