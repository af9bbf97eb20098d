import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { rawExtensions, unsupportedExtensions } from "../data/files/container.ts";
import { onDisk } from "../data/files/file-name.ts";
import { entriesOf, pictureExtensions } from "../data/files/folder.ts";
import { valueIn } from "./update-sidecar.ts";
import { namespaces, readXmp } from "./xmp-document.ts";
import { textOf } from "./xmp-encoding.ts";

/** How a sidecar is called: `darktable` (and digiKam) `a.jpg.xmp`, `lightroom` `a.xmp`. */
export type SidecarNaming = "darktable" | "lightroom";
export const sidecarNamings: readonly SidecarNaming[] = ["darktable", "lightroom"];

/** The sidecar of a picture. */
export interface SidecarName {
  readonly path: string;
  /** Extension of the picture, where the sidecar's name does not have it. */
  readonly forExtension?: string;
  /** Why it is not called as was asked, as a sentence. */
  readonly note?: string;
}

interface Folder {
  /** Extensions, as written, of the pictures of a name without extension, which is in lower case. */
  readonly extensions: ReadonlyMap<string, readonly string[]>;
  /** Names of sidecars by themselves in lower case. */
  readonly sidecars: Map<string, string>;
}

const extensionsOfPictures = new Set([...pictureExtensions, ...unsupportedExtensions, ...rawExtensions]);

/** What lies beside pictures, so that a folder of many is listed once. It is what was there when a folder was first asked for. */
export class SidecarNames {
  readonly #folders = new Map<string, Promise<Folder>>();

  /**
   * Which file is the sidecar of a picture: one that is there, whichever way it is called, or the name of a new one. Of pictures of one
   * name and several extensions (a.jpg, a.cr2) `a.xmp` belongs to that which it names (`photoshop:SidecarForExtension`), or to the only raw
   * one; the others have their own, `a.jpg.xmp`.
   */
  async of(picture: string, naming: SidecarNaming): Promise<SidecarName> {
    const name = basename(picture);
    const dot = name.lastIndexOf(".");
    const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot + 1)] : [name, ""];
    const folder = await this.#folder(dirname(picture));
    const there = (sidecar: string) => folder.sidecars.get(sidecar.toLowerCase());
    const at = (sidecar: string) => join(dirname(picture), sidecar);
    const whole = { path: at(there(`${name}.xmp`) ?? `${name}.xmp`) };
    if (extension === "") return whole;
    const shared = there(`${stem}.xmp`);
    const short: SidecarName = { path: at(shared ?? `${stem}.xmp`), forExtension: extension };
    if (there(`${name}.xmp`) && (naming === "darktable" || !shared)) return whole;
    if (!shared && naming === "darktable") return whole;
    const owner = shared === undefined ? undefined : await extensionOf(at(shared));
    const others = (folder.extensions.get(stem.toLowerCase()) ?? []).filter((other) => other !== extension);
    if (owner !== undefined) {
      if (owner.toLowerCase() === extension.toLowerCase()) return short;
      return { ...whole, note: `${basename(short.path)} is the sidecar of ${stem}.${owner}` };
    }
    const isRaw = (one: string) => rawExtensions.has(one.toLowerCase());
    if (others.length === 0 || (isRaw(extension) && !others.some(isRaw))) return short;
    const names = others.map((other) => `${stem}.${other}`).join(" and ");
    return { ...whole, note: `${stem}.xmp could be that of ${names} too` };
  }

  /** Tells of a sidecar that was made. */
  made(path: string): void {
    const name = basename(path);
    this.#folders.get(dirname(path))?.then(({ sidecars }) => sidecars.set(name.toLowerCase(), name));
  }

  #folder(path: string): Promise<Folder> {
    let folder = this.#folders.get(path);
    if (!folder) {
      folder = listed(path);
      this.#folders.set(path, folder);
    }
    return folder;
  }
}

async function listed(path: string): Promise<Folder> {
  const extensions = new Map<string, string[]>();
  const sidecars = new Map<string, string>();
  // Of a folder that may be entered and not listed the sidecar is tried by its name.
  for (const { name } of await entriesOf(path).catch(() => [])) {
    const dot = name.lastIndexOf(".");
    if (dot <= 0) continue;
    const [stem, extension] = [name.slice(0, dot).toLowerCase(), name.slice(dot + 1)];
    if (extension.toLowerCase() === "xmp") sidecars.set(name.toLowerCase(), name);
    else if (extensionsOfPictures.has(extension.toLowerCase())) {
      extensions.set(stem, [...(extensions.get(stem) ?? []), extension]);
    }
  }
  return { extensions, sidecars };
}

/** The extension that a sidecar says it is for, as Lightroom and Camera Raw write it. */
async function extensionOf(sidecar: string): Promise<string | undefined> {
  try {
    const { text } = textOf(await readFile(onDisk(sidecar)));
    return valueIn(readXmp(text), namespaces.photoshop, "SidecarForExtension") || undefined;
  } catch {
    return undefined; // Writing to it will tell what is wrong.
  }
}
