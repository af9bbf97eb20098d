import { kadidTable, kadisTable } from "../degraded/degraded-table.ts";
import type { Entry, SetDescription } from "./catalogue.ts";
import { entriesOf, readSheetOrCsv, readWords } from "./files.ts";

/**
 * KADID-10k (Lin et al. 2019). Its column is called dmos, but higher is better in it: [1, 5], and pictures of level 1 are the
 * best. Its column var holds standard deviations: the roots of some of its values are more than grades from 1 to 5 with that
 * mean can deviate by. A set like it that `degradeFolder` made has kadid.csv in place of dmos.csv, and no scores.
 */
export const kadid: SetDescription = {
  title: "KADID-10k",
  size: 10_125,
  rated: "81 pictures with 25 distortions at 5 levels, 30 opinions each",
  range: [1, 5],
  direction: "higher is better",
  groups: "the reference picture",
  source: "https://database.mmsp-kn.de/kadid-10k-database.html",
  terms: "references under the Pixabay licence",
  layout: "dmos.csv; images/",
  pictureFolders: ["images"],
  async read(files) {
    const made = files.find("dmos.csv") === undefined ? files.find(kadidTable) : undefined;
    if (made !== undefined) {
      const table = await readSheetOrCsv(made);
      return entriesOf(table, made, ["dist_img", "ref_img"], (field, line) => ({
        ...{ name: field("dist_img"), group: field("ref_img"), line },
      }));
    }
    const path = files.need("dmos.csv");
    return entriesOf(await readSheetOrCsv(path), path, ["dist_img", "ref_img", "dmos"], (field, line) => ({
      name: field("dist_img"),
      mos: field("dmos"),
      sd: field("var"),
      group: field("ref_img"),
      line,
    }));
  },
};

/**
 * TID2013 (Ponomarenko et al. 2015), scores on [0, 9]. mos_std.txt is left unread: its values, about 0.1, are the error of the
 * mean, not the deviation of the opinions.
 */
export const tid2013: SetDescription = {
  title: "TID2013",
  size: 3000,
  rated: "25 pictures with 24 distortions at 5 levels",
  range: [0, 9],
  direction: "higher is better",
  groups: "the reference picture",
  source: "http://www.ponomarenko.info/tid2013.htm",
  terms: "see the page of its authors",
  layout: "mos_with_names.txt; distorted_images/",
  pictureFolders: ["distorted_images"],
  async read(files) {
    const lines = await readWords(files.need("mos_with_names.txt"));
    return lines.map(([mos = "", name = ""], i) => ({
      name,
      mos,
      group: name.slice(0, 3).toUpperCase(),
      line: i + 1,
    }));
  },
};

/**
 * KADIS-700k (Lin et al. 2020), without scores: pristine pictures and what its MATLAB programs make of them. The list names one
 * or two distortions for each picture; pictures not generated are passed over.
 */
export const kadis: SetDescription = {
  title: "KADIS-700k",
  size: 840_000,
  rated: "nothing: 140,000 pristine pictures, each degraded at 5 levels",
  groups: "the pristine picture",
  source: "https://database.mmsp-kn.de/kadid-10k-database.html",
  terms: "pictures under the Pixabay licence",
  layout: "kadis700k_ref_imgs.csv; ref_imgs/ and, once generated, dist_imgs/",
  async read(files) {
    const path = files.need(kadisTable);
    const finder = await files.pictures([]);
    const table = await readSheetOrCsv(path);
    const kinds = table.header.filter((column) => column.startsWith("dist_type"));
    return entriesOf(table, path, ["ref_im"], (field, line): Entry[] => {
      const name = field("ref_im");
      const stem = name.replace(/\.[^.]*$/, "");
      const generated = [...new Set(kinds.map((kind) => field(kind)))]
        .filter(Boolean)
        .flatMap((kind) => [1, 2, 3, 4, 5].map((level) => `${stem}_${kind.padStart(2, "0")}_0${level}`));
      const there = generated.filter((picture) => typeof finder.find(picture) === "string");
      return [name, ...there].map((picture) => ({ name: picture, group: stem, line }));
    }).flat();
  },
};

/** The undegraded pictures of KADIS-700k alone, such as those that Dang et al. 2024 learn from without labels. */
export const kadisPristine: SetDescription = {
  ...kadis,
  title: "KADIS-700k, pristine pictures",
  size: 140_000,
  rated: "nothing: the undegraded pictures alone",
  layout: "kadis700k_ref_imgs.csv; ref_imgs/",
  pictureFolders: ["ref_imgs"],
  async read(files) {
    const path = files.need(kadisTable);
    return entriesOf(await readSheetOrCsv(path), path, ["ref_im"], (field, line): Entry => {
      const name = field("ref_im");
      return { name, group: name.replace(/\.[^.]*$/, ""), line };
    });
  },
};
