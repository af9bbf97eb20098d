import { describe, expect, test } from "bun:test";
import { DecoderPool } from "../../models/data/pictures/decoding/pool.ts";
import * as models from "../../models/index.ts";
import * as scale from "../../models/scale/index.ts";
import * as service from "../../models/service/index.ts";
import { sharedDevice } from "../engine/device.ts";

/** From JavaScript nothing says that an option is misspelt. */
// biome-ignore lint/suspicious/noExplicitAny: types would refuse what is tried here
const js: any = { ...models, ...service, ...scale, DecoderPool };
const device = await sharedDevice();
const hooks = { folder: "run" };
const dataset = { rows: [], problems: [], warnings: [] };

/** By export: option misspelt, option that is meant, and a call with what is given. Further calls have a suffix. */
const pairs = { before: Float64Array.of(1, 2), after: Float64Array.of(2, 1), truth: Float64Array.of(1, 2) };

const withOptions: Record<string, readonly [string, string, (options: object) => unknown]> = {
  MobileNetV2: ["clases", "classes", (options) => new js.MobileNetV2(device, undefined, options)],
  ResNet: ["stage", "stages", (options) => new js.ResNet(device, undefined, options)],
  Vgg16: ["batchnorms", "batchNorm", (options) => new js.Vgg16(device, undefined, options)],
  ViT: ["pixel", "pixels", (options) => new js.ViT(device, undefined, options)],
  "ViT: size": ["head", "heads", (size) => new js.ViT(device, undefined, { size })],
  createBackbone: ["clases", "classes", (options) => js.createBackbone("resnet18", device, undefined, options)],
  PictureError: ["advise", "advice", (options) => new js.PictureError("a.png", "missing", "", options)],
  PictureStore: ["maxPixel", "maxPixels", (options) => new js.PictureStore(device, 8, 1, 1024, options)],
  adapt: ["rang", "range", (options) => js.adapt([], options)],
  bootstrapInterval: ["repeat", "repeats", (options) => js.bootstrapInterval([1, 2], [1, 2], js.srcc, options)],
  pairedDifference: ["repeat", "repeats", (options) => js.pairedDifference(js.srcc, pairs, options)],
  checkPicture: ["maxPixel", "maxPixels", (options) => js.checkPicture("a.png", options)],
  cplOptions: ["levles", "levels", (options) => js.cplOptions(options)],
  decode: ["backgroud", "background", (options) => js.decode("a.png", options)],
  degradeFolder: ["sead", "seed", (options) => js.degradeFolder(device, "in", "out", options)],
  distort: ["strech", "stretch", (options) => js.distort(device, "jpeg", 1, 0, options)],
  divide: ["ration", "ratio", (options) => js.divide([], options)],
  inspect: ["concurency", "concurrency", (options) => js.inspect(dataset, options)],
  loadDataset: ["foldr", "folder", (options) => js.loadDataset(options)],
  "loadDataset: columns": ["moss", "mos", (columns) => js.loadDataset({ folder: "in", csv: "a.csv", columns })],
  loadPseudoLabels: ["folderr", "folder", (options) => js.loadPseudoLabels(options)],
  labelPool: ["existin", "existing", (options) => js.labelPool({}, [], "a.csv", options)],
  loadFolder: ["extension", "extensions", (options) => js.loadFolder("in", options)],
  loadKnownSet: ["rang", "range", (options) => js.loadKnownSet("koniq10k", "in", options)],
  copyPairs: ["referenses", "references", (options) => js.copyPairs("in", options)],
  measureCopies: ["measurs", "measures", (options) => js.measureCopies(device, [], options).next()],
  makeBrisqueParameters: ["signl", "signal", (options) => js.makeBrisqueParameters(device, [], [0, 1], options)],
  makeNiqeParameters: ["signl", "signal", (options) => js.makeNiqeParameters(device, [], options)],
  openClassicScorer: ["methd", "method", (options) => js.openClassicScorer(options)],
  openScorer: ["modle", "model", (options) => js.openScorer(options)],
  "openScorer: adapter": ["toggle", "toggles", (adapter) => js.openScorer({ adapter })],
  prefetch: ["ahed", "ahead", (options) => js.prefetch([], () => 0, options).next()],
  resumeCpl: ["signl", "signal", (options) => js.resumeCpl(device, { ...hooks, ...options })],
  resumeTraining: ["signl", "signal", (options) => js.resumeTraining({}, device, { ...hooks, ...options })],
  starsOf: ["band", "bands", (options) => js.starsOf(1, { range: [0, 1], ...options })],
  writeRating: ["namming", "naming", (options) => js.writeRating("a.png", {}, options)],
  findThreshold: ["maxFalseAlarm", "maxFalseAlarms", (options) => js.findThreshold([], [], options)],
  scoreStored: ["onResults", "onResult", (options) => js.scoreStored({}, {}, [], options).next()],
  watchPictures: ["restms", "restMs", (options) => js.watchPictures([], options).next()],
  cullPictures: ["kep", "keep", (options) => js.cullPictures([], options)],
  groupSimilar: ["similarty", "similarity", (options) => js.groupSimilar([], options)],
  seePicture: ["scorr", "scorer", (options) => js.seePicture("a.png", options)],
  scan: ["concurency", "concurrency", (options) => js.scan(dataset, options)],
  split: ["prts", "parts", (options) => js.split([], options)],
  "trainCpl: data": ["validatoin", "validation", (data) => js.trainCpl(device, data, {}, hooks)],
  "trainCpl: hooks": ["overwrit", "overwrite", (options) => js.trainCpl(device, {}, {}, { ...hooks, ...options })],
  "trainCpl: start": ["form", "from", (start) => js.trainCpl(device, {}, {}, hooks, start)],
  "startTraining: start": ["form", "from", (start) => js.startTraining({}, device, {}, {}, hooks, start)],
  openService: ["tokn", "token", (options) => js.openService(options)],
  "openService: limits": ["maxQueues", "maxQueue", (limits) => js.openService({ models: [{}], limits })],
  "openService: urls": ["lookups", "lookup", (urls) => js.openService({ models: [{}], urls })],
  openQueue: ["nam", "name", (options) => js.openQueue("redis://127.0.0.1:1", options)],
  openWorker: ["queu", "queue", (options) => js.openWorker(options)],
  pictureNames: ["rot", "root", (options) => js.pictureNames("-", options).next()],
  // Not exported, but the options of the service become its own.
  DecoderPool: ["proceses", "processes", (options) => new js.DecoderPool(options)],
};

/** Functions and classes of the library and the service that take no options. */
const withoutOptions = [
  ...["Backbone", "QualityNetwork", "DatasetError", "MetricError", "OptionError", "PictureCache", "ScorerClosedError"],
  ...[
    "TensorStore",
    "TrainingError",
    "TrainingInterrupted",
    "openModel",
    "saveModel",
    "upload",
    "runRecord",
    "writeRun",
  ],
  ...["amountsOf", "averageRanks", "binnedErrors", "coverage", "cumulativeClassShare", "cumulativeShare", "emd"],
  ...["constantClasses", "evaluateClasses", "mostFrequentClass", "unbeatenConstants"],
  ...["evaluate", "fitCurve", "gradesOnScores"],
  ...["brisque", "brisqueFeatures", "classicScores", "niqe", "readBrisqueParameters", "readNiqeParameters"],
  ...["fsim", "fullReference", "gmsd", "msSsim", "psnr", "ssim"],
  ...["jensenShannon", "krcc", "mae", "meanInterval", "median", "normalOnScores", "plcc", "plccFitted", "reliability"],
  ...["rmse", "slope", "srcc", "wasserstein", "isPipeline", "isSound", "observedRange", "officialSplit", "parseRatio"],
  ...["problemLines", "problemText", "rankedSets", "ratedRows", "ratioShares", "readSplit", "unratedRows"],
  ...["withoutCopiesOf", "writeSplit", "isLoopback", "LabelFileError", "withoutCopies"],
  ...["QueryError", "StoreError", "openStore", "parseQuery", "percentile", "percentiles"],
  ...["hashDistance", "rankBurst"],
  ...["PictureQueue", "PictureWorker", "QueueError"],
  ...["AdaptError", "SidecarError", "SidecarNames", "updateSidecar"],
];

describe("a misspelt option is refused", () => {
  test.each(Object.entries(withOptions))("%s", async (name, [misspelt, meant, call]) => {
    const calling = async () => call({ [misspelt]: undefined });
    // Options of a training are named as such, whatever function takes them.
    const of = name === "cplOptions" ? "" : ` of ${name}`;
    await expect(calling()).rejects.toThrow(`unknown option "${misspelt}"${of}; did you mean "${meant}"?`);
  });

  test("by the methods of a scorer", async () => {
    await using scorer = await js.openScorer({ device });
    const options = { signl: undefined };
    const unknown = (method: string) => `unknown option "signl" of ${method}; did you mean "signal"?`;
    await expect(scorer.score("a.png", options)).rejects.toThrow(unknown("score"));
    await expect(scorer.scoreMany(["a.png"], options).next()).rejects.toThrow(unknown("scoreMany"));
    await expect(scorer.explain("a.png", options)).rejects.toThrow(unknown("explain"));
  });

  test("by every function and class that takes options", () => {
    const exported = { ...models, ...service, ...scale } as Readonly<Record<string, unknown>>;
    const callable = Object.keys(exported).filter((name) => typeof exported[name] === "function");
    const called = Object.keys(withOptions).map((name) => name.replace(/:.*/, ""));
    const known = new Set([...called.filter((name) => name !== "DecoderPool"), ...withoutOptions]);
    expect(callable.sort()).toEqual([...known].sort());
    expect(called.filter((name) => withoutOptions.includes(name))).toEqual([]);
  });
});
