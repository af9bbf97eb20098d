import { join, relative, resolve, sep } from "node:path";

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
      const lower = name.toLowerCase();
      for (let tail = lower; ; tail = tail.slice(tail.indexOf("/") + 1)) {
        for (const key of new Set([tail, stem(tail)])) {
          // null marks a key that more than one file answers to.
          this.#byKey.set(key, this.#byKey.has(key) ? null : name);
        }
        if (!tail.includes("/")) break;
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
    const slashed = relative(this.#folder, resolve(this.#folder, name)).split(sep).join("/");
    if (this.#names.has(slashed)) return this.pathOf(slashed);
    const lower = slashed.toLowerCase();
    const converted = lower.endsWith(".bmp") && !this.#byKey.has(lower);
    const similar = this.#byKey.get(converted ? stem(lower) : lower);
    if (typeof similar === "string") return this.pathOf(similar);
    if (similar === null) return { why: `several pictures below ${this.#folder} have this name; give the path.` };
    return { why: `there is no such picture in ${this.#folder}.` };
  }
}

/** Name without its extension. */
function stem(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > name.lastIndexOf("/") + 1 ? name.slice(0, dot) : name;
}
