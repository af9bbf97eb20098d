import { basename, dirname, join } from "node:path";
import { rawExtensions } from "../../data/files/container.ts";
import { entriesOf } from "../../data/files/folder.ts";

/** Extensions of what raw converters, cameras and phones write beside a picture under its name. */
const sidecarExtensions: ReadonlySet<string> = new Set(
  "xmp pp3 dop aae arp cos on1 vrd nksc nks thm wav mov mp4".split(" "),
);

/** Name of a file without and with its extension. */
export function partsOf(name: string): { stem: string; extension: string } {
  const dot = name.lastIndexOf(".");
  return dot > 0
    ? { stem: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() }
    : { stem: name, extension: "" };
}

/**
 * The files that go along with pictures: sidecars (`a.xmp`, `a.jpg.xmp`), raw files of the same name (`a.cr2` beside `a.jpg`) with theirs, sound and film of
 * the same moment. One that several pictures could have goes with the first of them.
 * @param paths pictures, the one to be preferred first
 * @returns paths of companions by picture
 */
export async function companionsOf(paths: readonly string[]): Promise<Map<string, string[]>> {
  const pictures = new Set(paths);
  const taken = new Set<string>();
  const listings = new Map<string, Map<string, string[]>>();
  const companions = new Map<string, string[]>();
  for (const path of paths) {
    const folder = dirname(path);
    let listing = listings.get(folder);
    if (!listing) {
      listing = await byFirstPart(folder);
      listings.set(folder, listing);
    }
    const name = basename(path);
    const { stem } = partsOf(name);
    const own = (listing.get(firstPart(name)) ?? []).filter((other) => {
      const at = join(folder, other);
      return !pictures.has(at) && !taken.has(at) && goesAlong(other, stem);
    });
    for (const other of own) taken.add(join(folder, other));
    companions.set(
      path,
      own.map((other) => join(folder, other)),
    );
  }
  return companions;
}

/** Whether a file is a companion of pictures with this stem: `stem.ext`, or `stem.ext.ext` of a sidecar. */
function goesAlong(other: string, stem: string): boolean {
  const { stem: own, extension } = partsOf(other);
  const same = (name: string) => name.toLowerCase() === stem.toLowerCase();
  if (same(own)) return sidecarExtensions.has(extension) || rawExtensions.has(extension);
  return sidecarExtensions.has(extension) && same(partsOf(own).stem);
}

/** The part of a name before its first dot, in small letters: companions share it. */
const firstPart = (name: string) => /^.[^.]*/.exec(name)![0].toLowerCase();

async function byFirstPart(folder: string): Promise<Map<string, string[]>> {
  // A folder that cannot be read has no companions that could be moved.
  const entries = await entriesOf(folder).catch(() => []);
  const files = entries.filter(({ kind }) => kind === "file").map(({ name }) => name);
  return Map.groupBy(files, firstPart) as Map<string, string[]>;
}
