import type { MosRange } from "../range.ts";
import type { SetFiles } from "./files.ts";

/** What an adapter knows of one picture before its file is looked for. */
export interface Entry {
  /** File name or path below the folder of the set. */
  readonly name: string;
  readonly mos?: number | string;
  readonly sd?: number | string;
  /** Counts or shares of the grades, worst first; as many for every entry. */
  readonly histogram?: readonly (number | string)[];
  readonly group?: string;
  readonly split?: string;
  /** Line of the score file. */
  readonly line?: number;
}

/** A published data set: what it is, and how its files are read. */
export interface SetDescription {
  readonly title: string;
  /** Pictures it has when complete. */
  readonly size: number;
  /** What was rated. */
  readonly rated: string;
  /** Nominal ends of the scale the rows get; absent when nothing is rated or the ends are not documented. */
  readonly range?: MosRange;
  /** Of the scores in its files; those of which lower is better are turned round. */
  readonly direction?: "higher is better" | "lower is better";
  /** Of a set whose MOS is a class, from 0 on: how many there are. */
  readonly classes?: number;
  /** What pictures of one group share, which must stay in one part of a split. */
  readonly groups?: string;
  /** Parts of the split its authors made. */
  readonly officialSplit?: string;
  readonly source: string;
  readonly terms: string;
  /** The files that are needed, in words. */
  readonly layout: string;
  /** Folders of the pictures by preference; below others, pictures are not looked for. */
  readonly pictureFolders?: readonly string[];
  readonly read: (files: SetFiles) => Promise<Entry[]>;
}
