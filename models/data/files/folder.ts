import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { Limit } from "../prefetch.ts";
import { DatasetError } from "../problems.ts";
import { containerOf, headBytes, rawExtensions, unsupportedExtensions } from "./container.ts";
import { nameOfBytes, onDisk, printable } from "./file-name.ts";
import { reasonOf } from "./reason-of.ts";

/** File name extensions of pictures, which are taken by their name. */
export const pictureExtensions: readonly string[] = (
  "jpg jpeg jpe jfif jif pjpeg pjp mpo png apng webp tif tiff gif avif avifs bmp dib " +
  // Those that need a decoder which is asked for are listed without it, so that they are reported and not passed over.
  "heic heif heics heifs hif"
).split(" ");

/** Something in a folder that was not taken and might be a picture, or hold some. */
export interface LeftOut {
  /** Relative to the folder; empty for the folder itself. */
  readonly name: string;
  /** A sentence for the user. */
  readonly why: string;
}

/** What is in a folder. Names are relative to it, with forward slashes, sorted by code unit. */
export interface Listing {
  readonly pictures: readonly string[];
  readonly leftOut: readonly LeftOut[];
  /** Files that are no pictures by name and content, and links that lead back to a folder above. */
  readonly passedOver: readonly string[];
  /** Entries whose names begin with a dot; they are not looked into. */
  readonly hidden: readonly string[];
}

export interface ListOptions {
  /** @default true */
  readonly recursive?: boolean;
  /** Extensions without the dot, any case: only files with one of them count, and no other is looked at. */
  readonly extensions?: readonly string[];
}

/**
 * The pictures below a folder, and everything that is not among them. A file whose extension is none of
 * {@link pictureExtensions} is looked into: it counts when its first bytes are those of a picture that can be decoded. Links are followed,
 * but not into a folder that they lie in.
 * @throws DatasetError when the folder does not exist or is a file
 */
export async function listFolder(folder: string, options: ListOptions = {}): Promise<Listing> {
  const info = await stat(onDisk(folder)).catch((error: Error) => {
    throw new DatasetError(`The picture folder ${printable(folder)} cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  });
  if (!info.isDirectory()) {
    throw new DatasetError(`${printable(folder)} is a file; a folder of pictures is expected.`);
  }
  const walk = new Walk(folder, options);
  await walk.run();
  return walk.listing();
}

/** The pictures of {@link listFolder} alone. @throws as it does */
export async function listPictures(folder: string, options: ListOptions = {}): Promise<readonly string[]> {
  return (await listFolder(folder, options)).pictures;
}

/** One sentence about what is not among the pictures and none; undefined when there is nothing to say. */
export function passedOverWords({ passedOver, hidden }: Pick<Listing, "passedOver" | "hidden">): string | undefined {
  const some = (names: readonly string[]) => {
    const shown = names.slice(0, 3).map(printable);
    return `(${[...shown, ...(names.length > shown.length ? ["…"] : [])].join(", ")})`;
  };
  const parts = [
    ...(passedOver.length > 0
      ? [
          `${passedOver.length} ${passedOver.length === 1 ? "file that is no picture" : "files that are no pictures"} ${some(passedOver)}`,
        ]
      : []),
    ...(hidden.length > 0 ? [`${hidden.length} hidden ${some(hidden)}`] : []),
  ];
  return parts.length > 0 ? `passed over ${parts.join(" and ")}` : undefined;
}

type Kind = "file" | "folder" | "link" | "other";

/** Files looked into at a time. */
const looking = 16;

class Walk {
  readonly #folder: string;
  readonly #recursive: boolean;
  /** Of files that are taken by their name. */
  readonly #extensions: ReadonlySet<string>;
  readonly #looksInside: boolean;
  readonly #limit = new Limit(looking);
  readonly #looks: Promise<void>[] = [];
  readonly #pictures: string[] = [];
  readonly #leftOut: LeftOut[] = [];
  readonly #passedOver: string[] = [];
  readonly #hidden: string[] = [];

  constructor(folder: string, { recursive = true, extensions }: ListOptions) {
    this.#folder = folder;
    this.#recursive = recursive;
    this.#looksInside = extensions === undefined;
    this.#extensions = new Set((extensions ?? pictureExtensions).map((extension) => extension.toLowerCase()));
  }

  async run(): Promise<void> {
    const root = await realpath(onDisk(this.#folder));
    await this.#enter("", [root]);
    await Promise.all(this.#looks);
  }

  listing(): Listing {
    const byName = (a: LeftOut, b: LeftOut) => (a.name < b.name ? -1 : 1);
    return {
      pictures: this.#pictures.sort(),
      leftOut: this.#leftOut.sort(byName),
      passedOver: this.#passedOver.sort(),
      hidden: this.#hidden.sort(),
    };
  }

  /** @param within real paths of the folders on the way here, this one last */
  async #enter(folder: string, within: readonly string[]): Promise<void> {
    let entries: readonly { readonly name: string; readonly kind: Kind }[];
    try {
      entries = await entriesOf(join(this.#folder, folder));
    } catch (error) {
      this.#leftOut.push({ name: folder, why: `The folder cannot be read: ${reasonOf(error)}.` });
      return;
    }
    for (const { name, kind } of entries) {
      const path = folder ? `${folder}/${name}` : name;
      if (name.startsWith(".")) this.#hidden.push(path);
      else if (kind === "link") await this.#follow(path, within);
      else if (kind === "folder") await this.#below(path, [...within, join(within.at(-1)!, name)]);
      else if (kind === "file") this.#file(path);
      else this.#passedOver.push(path);
    }
  }

  async #below(path: string, within: readonly string[]): Promise<void> {
    if (this.#recursive) await this.#enter(path, within);
  }

  async #follow(path: string, within: readonly string[]): Promise<void> {
    const own = onDisk(join(this.#folder, path));
    try {
      const info = await stat(own);
      if (info.isFile()) this.#file(path);
      else if (!info.isDirectory()) this.#passedOver.push(path);
      else {
        const target = await realpath(own);
        const leadsBack = within.some((folder) =>
          `${folder}/`.startsWith(target.endsWith("/") ? target : `${target}/`),
        );
        if (leadsBack) this.#passedOver.push(path);
        else await this.#below(path, [...within, target]);
      }
    } catch (error) {
      if (!this.#looksInside && !this.#extensions.has(extensionOf(path))) return;
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      const why = missing
        ? "It is a link to a file that is not there."
        : `The link cannot be followed: ${reasonOf(error)}.`;
      this.#leftOut.push({ name: path, why });
    }
  }

  #file(path: string): void {
    if (this.#extensions.has(extensionOf(path))) this.#pictures.push(path);
    else if (this.#looksInside) this.#looks.push(this.#limit.run(() => this.#look(path)));
  }

  async #look(path: string): Promise<void> {
    const extension = extensionOf(path);
    const isRaw = rawExtensions.has(extension);
    let head: Uint8Array;
    try {
      head = await headOf(join(this.#folder, path));
    } catch (error) {
      this.#leftOut.push({ name: path, why: `The file cannot be read: ${reasonOf(error)}.` });
      return;
    }
    const container = containerOf(head);
    if (container === "decodable") this.#pictures.push(path);
    else if (container || isRaw || unsupportedExtensions.has(extension)) {
      const named = isRaw
        ? "By its name it is a camera's raw file, of a kind that is not known here."
        : `By its name it is a .${extension} picture.`;
      const what = !isRaw && typeof container === "object" ? container.unsupported : named;
      const why = `${what} Convert it to JPEG, PNG, WebP or TIFF first.`;
      this.#leftOut.push({ name: path, why });
    } else if (this.#isNearlyPicture(extension)) this.#pictures.push(path);
    else this.#passedOver.push(path);
  }

  /** A picture's extension with something behind it (`jpg_large`, `jpeg~`): decoding will say what is wrong with the file. */
  #isNearlyPicture(extension: string): boolean {
    const start = /^[a-z0-9]+/.exec(extension)?.[0];
    return start !== undefined && start !== extension && this.#extensions.has(start);
  }
}

function extensionOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("."), path.lastIndexOf("/")) + 1).toLowerCase();
}

async function headOf(path: string): Promise<Uint8Array> {
  const file = await open(onDisk(path), "r");
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(headBytes), 0, headBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Entries of a folder by their names as {@link nameOfBytes} gives them. */
export async function entriesOf(folder: string): Promise<readonly { readonly name: string; readonly kind: Kind }[]> {
  const path = onDisk(folder);
  const entries = (await readdir(path, { withFileTypes: true })).map((entry) => ({
    name: entry.name,
    kind: kindOf(entry),
  }));
  // A name that is no UTF-8 comes with replacement characters, under which nothing can be opened.
  if (entries.every(({ name }) => !name.includes("\ufffd"))) return entries;
  const names = (await readdir(path, { encoding: "buffer" })).map(nameOfBytes);
  const kinds = new Map(entries.map(({ name, kind }) => [name, kind]));
  const withKind = async (name: string) => {
    const known = kinds.get(name);
    if (known && !name.includes("\ufffd")) return { name, kind: known };
    const info = await lstat(onDisk(join(folder, name))).catch(() => undefined);
    return { name, kind: info ? kindOf(info) : ("file" as const) };
  };
  return Promise.all(names.map(withKind));
}

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): Kind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}
