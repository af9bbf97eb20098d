import { DatasetError } from "../problems.ts";
import { parseNumber } from "../tables/numbers.ts";
import type { Entry, SetDescription } from "./catalogue.ts";
import { entriesOf, readMatVariable, readSheetOrCsv, readWords, type SetFiles } from "./files.ts";

const grades = ["c1", "c2", "c3", "c4", "c5"];

/**
 * KonIQ-10k (Hosu et al. 2020). MOS is the mean of the five grades by the rating counts, on [1, 5]; the column MOS is not
 * read, for its scale differs between the published files (1-5 or 1-100). SD is in grades in both of them.
 */
export const koniq: SetDescription = {
  title: "KonIQ-10k",
  size: 10_073,
  rated: "photographs as found, about 105 opinions each",
  range: [1, 5],
  direction: "higher is better",
  officialSplit: "training 7058, validation 1000, test 2015",
  source: "https://database.mmsp-kn.de/koniq-10k-database.html; split: github.com/subpic/koniq",
  terms: "pictures under their Creative Commons licences",
  layout: "koniq10k_distributions_sets.csv (or koniq10k_scores_and_distributions.csv); 1024x768/ or 512x384/",
  pictureFolders: ["1024x768", "512x384"],
  async read(files) {
    const path = files.need("koniq10k_distributions_sets.csv", "koniq10k_scores_and_distributions.csv");
    return entriesOf(await readSheetOrCsv(path), path, ["image_name", "SD", ...grades], (field, line) => {
      const counts = grades.map((grade) => parseNumber(field(grade)));
      const total = counts.reduce((a, b) => a + b, 0);
      const mos = counts.reduce((sum, count, i) => sum + count * (i + 1), 0) / total;
      return {
        name: field("image_name"),
        mos: clampTo(1, 5, mos),
        sd: field("SD"),
        histogram: counts,
        split: field("set"),
        line,
      };
    });
  },
};

/** SPAQ (Fang et al. 2020). */
export const spaq: SetDescription = {
  title: "SPAQ",
  size: 11_125,
  rated: "smartphone photographs as taken",
  range: [0, 100],
  direction: "higher is better",
  source: "https://github.com/h4nwei/SPAQ",
  terms: "research and education, not commercial",
  layout: "Annotations/MOS and Image attribute scores.xlsx (or the same as .csv); TestImage/",
  pictureFolders: ["TestImage"],
  async read(files) {
    const path = files.need("MOS and Image attribute scores.xlsx", "MOS and Image attribute scores.csv");
    return entriesOf(await readSheetOrCsv(path), path, ["Image name", "MOS"], (field, line) => ({
      name: field("Image name"),
      mos: field("MOS"),
      line,
    }));
  },
};

/** LIVE In the Wild Image Quality Challenge (Ghadiyaram and Bovik 2016). The seven practice pictures t1 to t7 are left out. */
export const livec: SetDescription = {
  title: "LIVE In the Wild (LIVE-C)",
  size: 1162,
  rated: "mobile photographs as taken, about 175 opinions each",
  range: [0, 100],
  direction: "higher is better",
  source: "https://live.ece.utexas.edu/research/ChallengeDB/",
  terms: "free with its copyright notice and citation",
  layout: "Data/AllImages_release.mat, AllMOS_release.mat, AllStdDev_release.mat; Images/",
  pictureFolders: ["Images"],
  async read(files) {
    const [names, mos, sd] = await Promise.all(
      ["AllImages_release", "AllMOS_release", "AllStdDev_release"].map((name) =>
        readMatVariable(files.need(`${name}.mat`), name),
      ),
    );
    if (names!.length !== mos!.length || names!.length !== sd!.length) {
      throw new DatasetError(
        `The score files in ${files.folder} do not belong together: ${names!.length} names, ${mos!.length} MOS, ${sd!.length} SD.`,
      );
    }
    return names!
      .map((name, i) => ({ name: String(name), mos: mos![i]!, sd: sd![i]! }))
      .filter(({ name }) => !/^t\d+\./i.test(name));
  },
};

/** BID, the blurred image database (Ciancio et al. 2011): column 1 of the sheet is the number in the name, 2 the MOS. */
export const bid: SetDescription = {
  title: "BID",
  size: 586,
  rated: "photographs with blur as taken",
  range: [0, 5],
  direction: "higher is better",
  source: "http://www.lps.ufrj.br/profs/eduardo/ImageDatabase.htm",
  terms: "see the page of its authors",
  layout: "DatabaseGrades.xlsx; DatabaseImage0001.JPG and so on",
  async read(files) {
    const path = files.need("DatabaseGrades.xlsx", "DatabaseGrades.csv");
    const { records } = await readSheetOrCsv(path);
    return records
      .filter(({ fields }) => Number.isInteger(parseNumber(fields[0] ?? "")))
      .map(({ fields, line }) => ({
        name: `DatabaseImage${fields[0]!.trim().padStart(4, "0")}.JPG`,
        mos: fields[1] ?? "",
        line,
      }));
  },
};

/** NNID, natural night-time images (Xiang et al. 2020), in three sizes. The ends of its scale are not documented. */
export const nnid: SetDescription = {
  title: "NNID",
  size: 2240,
  rated: "photographs taken at night",
  direction: "higher is better",
  source: "https://sites.google.com/site/xiangtaooo/",
  terms: "see the page of its authors",
  layout: "mos512_with_names.txt, mos1024_with_names.txt, mos2048_with_names.txt; sub512/, sub1024/, Sub2048/",
  async read(files) {
    const lists = await Promise.all(
      [512, 1024, 2048].map(async (size) =>
        (await readWords(files.need(`mos${size}_with_names.txt`))).map((words, i) => ({
          name: `sub${size}/${words[1] ?? ""}`,
          mos: words[0]!,
          line: i + 1,
        })),
      ),
    );
    return lists.flat();
  },
};

/**
 * CID2013 (Virtanen et al. 2015). The realigned MOS, comparable between its six sessions, comes from a linear fit and leaves
 * [0, 100] downwards by up to 9.55: the range says so. A group is one of the eight scenes.
 */
export const cid2013: SetDescription = {
  title: "CID2013",
  size: 474,
  rated: "photographs of eight scenes by 79 cameras",
  range: [-10, 100],
  direction: "higher is better",
  groups: "the scene",
  source: "https://zenodo.org/record/2647033",
  terms: "see the page of its authors",
  layout: "CID2013 data - version 12112014.xlsx; IS1/ to IS6/",
  async read(files) {
    const path = files.need("CID2013 data - version 12112014.xlsx");
    const table = await readSheetOrCsv(path, "CID2013 MOS");
    return entriesOf(table, path, ["Source_ID", "Realigned MOS"], (field, line) => {
      const name = field("Source_ID");
      const scene = /_(C\d+)_/i.exec(name)?.[1];
      return { name, mos: field("Realigned MOS"), ...(scene && { group: scene.toUpperCase() }), line };
    });
  },
};

const flivePictures = {
  range: [0, 100],
  direction: "higher is better",
  groups: "the picture (with its patches)",
  source: "https://github.com/niu-haoran/FLIVE_Database; split: github.com/baidut/PaQ-2-PiQ",
  terms: "see the page of its authors; pictures come from several collections",
} as const;

/** FLIVE, also PaQ-2-PiQ (Ying et al. 2020), whole pictures. */
export const flive: SetDescription = {
  ...flivePictures,
  title: "FLIVE (PaQ-2-PiQ)",
  size: 39_810,
  rated: "photographs as found",
  officialSplit: "training, validation, test (longer side above 640 pixels)",
  layout: "labels_image.csv; for the split labels<=640_padded.csv and labels>640.csv; database/",
  read: (files) => fliveEntries(files, "labels_image.csv"),
};

/** The patches of FLIVE, three from each picture, with scores of their own. */
export const flivePatches: SetDescription = {
  ...flivePictures,
  title: "FLIVE patches",
  size: 119_430,
  rated: "patches of the photographs of FLIVE, on their own",
  officialSplit: "that of their pictures",
  layout: "labels_patch.csv; for the split labels<=640_padded.csv and labels>640.csv; database/",
  read: (files) => fliveEntries(files, "labels_patch.csv"),
};

async function fliveEntries(files: SetFiles, labels: string): Promise<Entry[]> {
  const parts = await flivePartOf(files);
  const path = files.need(labels);
  return entriesOf(await readSheetOrCsv(path), path, ["name", "mos"], (field, line) => {
    const name = field("name");
    const group = flivePicture(name);
    const split = parts ? (parts.get(group) ?? "training") : undefined;
    return { name, mos: field("mos"), group, ...(split && { split }), line };
  });
}

/** Name of the picture that a picture or patch of FLIVE belongs to, without folder and extension. */
function flivePicture(name: string): string {
  const file = name.slice(name.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
  return file.replace(/_patch_\d+$/, "");
}

/** Parts other than training, by picture; undefined when the files of the split are not there. */
async function flivePartOf(files: SetFiles): Promise<Map<string, string> | undefined> {
  // Some systems cannot have < and > in a name: copies go without them.
  const small = files.find("labels<=640_padded.csv", "labels=640_padded.csv");
  const large = files.find("labels>640.csv", "labels640.csv");
  if (!small || !large) return undefined;
  const parts = new Map<string, string>();
  const test = await readSheetOrCsv(large);
  entriesOf(test, large, ["name_image"], (field) => parts.set(flivePicture(field("name_image")), "test"));
  const rest = await readSheetOrCsv(small);
  entriesOf(rest, small, ["name_image", "is_valid"], (field) => {
    if (/^(true|1)$/i.test(field("is_valid"))) parts.set(flivePicture(field("name_image")), "validation");
  });
  return parts;
}

/** Takes back what rounding of the shares may put beyond the ends; NaN stays. */
function clampTo(low: number, high: number, value: number): number {
  return Math.max(low, Math.min(high, value));
}
