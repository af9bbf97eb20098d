import { basename, join } from "node:path";
import { CsvError, parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import { writeFileAtomically } from "../../../engine/weights/atomic.ts";
import { readText } from "../../../engine/weights/files.ts";
import { DatasetError } from "../problems.ts";
import { distortions, severityOf } from "./distortions.ts";
import type { DegradedLayout, DegradedPicture } from "./plan.ts";

/** The table of the copies, in their folder. */
export const degradedTable = "degraded.csv";

/** A line of the table of degraded copies. */
export interface CopyLine {
  readonly name: string;
  readonly source: string;
  readonly kind: string;
  readonly level: string;
  readonly seed: string;
  readonly longer_side: string;
  readonly toned: string | undefined;
  readonly layout: string | undefined;
  readonly stretch: string | undefined;
  /** From 1. */
  readonly line: number;
}

/** Columns without which a copy is not known. */
const needed = ["name", "source", "kind", "level"] as const;

/**
 * Reads the table of degraded copies as they were written; it is no user's CSV, so that nothing in it is guessed.
 * @throws DatasetError when it cannot be read or is damaged
 */
export async function readCopies(path: string): Promise<CopyLine[]> {
  const damaged = (what: string) =>
    new DatasetError(
      `${path} is damaged: ${what}. Make the copies again with acutance data degrade, in an empty folder.`,
    );
  const text = await readText(path).catch((cause: Error) => {
    throw new DatasetError(cause.message, { cause });
  });
  let rows: { record: Record<string, string>; info: { lines: number } }[];
  try {
    rows = parse(text, { columns: true, info: true, bom: true }) as unknown as typeof rows;
  } catch (error) {
    if (error instanceof CsvError) throw damaged(error.message);
    throw error;
  }
  const header = text.slice(0, text.search(/\r?\n|$/)).split(",");
  const missing = needed.filter((column) => !header.includes(column));
  if (missing.length > 0) throw damaged(`it has no column ${missing.join(", ")}`);
  return rows.map(({ record, info }) => ({ ...(record as unknown as CopyLine), line: info.lines }));
}

/** How all copies in a folder were made. */
export interface Making {
  readonly seed: number | string;
  readonly longerSide: number | string;
  readonly toned: number | string | undefined;
  readonly layout: string | undefined;
  readonly stretch: boolean | string | undefined;
}

/** In words; tables that do not tell a part are of copies as they are usually made. */
export function madeAs({ seed, longerSide, toned, layout, stretch }: Making): string {
  const kind = !layout || layout === "copies" ? "" : `, a set like ${layout.toUpperCase()}`;
  return `seed ${seed}, longer side ${longerSide}, share toned ${toned || 0}${kind}${String(stretch) === "true" ? ", stretched" : ""}`;
}

const columns = ["name", "source", "kind", "level", "seed", "longer_side", "toned", "layout", "stretch"] as const;

/** Writes the table of all copies in a folder. */
export function writeCopies(out: string, pictures: Iterable<DegradedPicture>, making: Making): Promise<void> {
  const { seed, longerSide, toned, layout, stretch } = making;
  const rows = [...pictures].map(({ name, source, kind, level }) => {
    const made = { seed, longer_side: longerSide, toned, layout, stretch: String(stretch) };
    return { name, source, kind, level, ...made };
  });
  return writeFileAtomically(join(out, degradedTable), stringify(rows, { header: true, columns: [...columns] }));
}

/**
 * How strong a copy is among those of its kind: its level, but of KADID-10k's levels what the order of severity says, and 0 where they
 * change nothing. Undefined when the table's level is none.
 */
export function severityOfCopy({
  kind,
  level,
  layout,
}: Pick<CopyLine, "kind" | "level" | "layout">): number | undefined {
  if (!/^[0-5]$/.test(level)) return undefined;
  const usual = kind === "none" || !layout || layout === "copies" || !isDistortion(kind);
  return usual ? Number(level) : severityOf(kind, Number(level));
}

const isDistortion = (kind: string): kind is keyof typeof distortions => Object.hasOwn(distortions, kind);

/** Table of a set like KADID-10k, of the degraded pictures alone. */
export const kadidTable = "kadid.csv";

/** Table of a set like KADIS-700k, by the name that KADIS-700k's has. */
export const kadisTable = "kadis700k_ref_imgs.csv";

/** Writes the table by which a set of that layout is opened; copies that lie beside one another have none. */
export async function writeSetTable(
  out: string,
  pictures: readonly DegradedPicture[],
  layout: DegradedLayout,
): Promise<void> {
  if (layout === "copies") return;
  const clean = new Map(pictures.filter(({ kind }) => kind === "none").map(({ source, name }) => [source, name]));
  const degraded = pictures.flatMap((picture) => {
    const { kind, source } = picture;
    const reference = clean.get(source);
    return kind === "none" || reference === undefined ? [] : [{ ...picture, kind, reference }];
  });
  const typeOf = (kind: keyof typeof distortions) => distortions[kind].number;
  const [file, rows] =
    layout === "kadid"
      ? [
          kadidTable,
          degraded.map(({ name, reference, kind, level }) => ({
            ...{ dist_img: basename(name), ref_img: basename(reference) },
            ...{ type: typeOf(kind), kind, level },
          })),
        ]
      : [
          kadisTable,
          [...new Map(degraded.map((picture) => [picture.source, picture])).values()].map(({ reference, kind }) => ({
            ref_im: reference.slice("ref_imgs/".length),
            dist_type: typeOf(kind),
          })),
        ];
  await writeFileAtomically(join(out, file), stringify(rows, { header: true }));
}
