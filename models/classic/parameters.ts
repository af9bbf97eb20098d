import { z } from "zod";
import { checked, FileError, jsonOf, readBytes, readText } from "../../engine/weights/files.ts";
import { readMatVariable } from "../data/sets/files.ts";
import { readNpz } from "./npz.ts";

const finite = z.number();
const features = z.array(finite).length(36);
const counted = z.number().int().min(1);

const niqeSchema = z.strictObject({
  method: z.literal("niqe"),
  /** Pictures and sharp blocks that they were made of. */
  pictures: counted.optional(),
  blocks: counted.optional(),
  mean: features,
  covariance: z.array(features).length(36),
});

const brisqueSchema = z
  .strictObject({
    method: z.literal("brisque"),
    /** Rated pictures that they were learnt from. */
    pictures: counted.optional(),
    /** Ends of the scale of opinions. */
    range: z.tuple([finite, finite]),
    lowerIsBetter: z.boolean(),
    minimum: features,
    maximum: features,
    gamma: finite.positive(),
    offset: finite,
    coefficients: z.array(finite).min(1),
    vectors: z.array(features),
  })
  .refine(({ coefficients, vectors }) => coefficients.length === vectors.length, "as many coefficients as vectors")
  .refine(({ minimum, maximum }) => maximum.every((most, k) => most > minimum[k]!), "each maximum above its minimum");

/** What NIQE compares with: mean [36] and covariance [36, 36] of the statistics of sharp blocks of good photographs. */
export type NiqeParameters = z.infer<typeof niqeSchema>;

/**
 * A regression on the 36 statistics of BRISQUE: each x is brought from `minimum` … `maximum` to −1 … 1, the score is
 * Σ_i coefficients_i exp(−γ |vectors_i − x|²) − offset.
 */
export type BrisqueParameters = z.infer<typeof brisqueSchema>;

/**
 * Reads parameters of NIQE: the JSON of `makeNiqeParameters`; `.mat` of the authors (mu_prisparam, cov_prisparam), or those numbers as a
 * NumPy archive (mu_pris_param, cov_pris_param).
 * @throws FileError when the file cannot be read or is of another kind
 */
export async function readNiqeParameters(path: string): Promise<NiqeParameters> {
  const start = await readBytes(path);
  const begins = (text: string) => Buffer.from(start.subarray(0, text.length)).toString("latin1") === text;
  if (begins("PK")) {
    const arrays = await readNpz(path);
    return fromFlat(path, arrays.get("mu_pris_param"), arrays.get("cov_pris_param"));
  }
  if (begins("MATLAB")) {
    const variable = (name: string) =>
      readMatVariable(path, name).catch((cause: Error) => {
        throw new FileError(cause.message, { cause });
      });
    return fromFlat(path, await variable("mu_prisparam"), await variable("cov_prisparam"));
  }
  return checked(jsonOf(new TextDecoder().decode(start), path), `${path} (parameters of NIQE)`, niqeSchema);
}

function fromFlat(
  path: string,
  mean: ArrayLike<unknown> | undefined,
  covariance: ArrayLike<unknown> | undefined,
): NiqeParameters {
  const flat = Array.from(covariance ?? []);
  const rows = Array.from({ length: Math.ceil(flat.length / 36) }, (_, i) => flat.slice(36 * i, 36 * (i + 1)));
  const value = { method: "niqe", mean: Array.from(mean ?? []), covariance: rows };
  return checked(value, `${path} (mean and covariance of NIQE)`, niqeSchema);
}

/**
 * Reads parameters of BRISQUE: the JSON of `makeBrisqueParameters`; or a text model of LIBSVM (epsilon or nu SVR, kernel RBF) with the file
 * that says how features are scaled: what svm-scale -l -1 -u 1 writes, or JSON of `min_` and `max_`. Those of the authors are taken to be DMOS of
 * 0 … 100, lower is better.
 * @param featureRange for a text model
 * @throws FileError when a file cannot be read, is of another kind, or `featureRange` is missing
 */
export async function readBrisqueParameters(path: string, featureRange?: string): Promise<BrisqueParameters> {
  const text = await readText(path);
  if (!/^\s*svm_type\b/.test(text))
    return checked(jsonOf(text, path), `${path} (parameters of BRISQUE)`, brisqueSchema);
  if (featureRange === undefined) {
    throw new FileError(
      `${path} is a model of LIBSVM, which works on scaled features; name the file that says how with \`featureRange\``,
    );
  }
  const machine = supportVectors(text, path);
  const scale = scaleOf(await readText(featureRange), featureRange);
  const value = { method: "brisque", range: [0, 100], lowerIsBetter: true, ...machine, ...scale };
  return checked(value, `${path} with ${featureRange}`, brisqueSchema);
}

/** The header's lines "name value", then one vector a line: its coefficient, and index:value of features that are not 0. */
function supportVectors(text: string, path: string) {
  const [header, body = ""] = text.split(/^SV\s*$/m) as [string, string?];
  const said = new Map(header.split(/\r?\n/).map((line) => line.trim().split(/\s+/, 2) as [string, string]));
  const [type, kernel] = [said.get("svm_type"), said.get("kernel_type")];
  if (!/^(epsilon|nu)_svr$/.test(type ?? "") || kernel !== "rbf") {
    throw new FileError(`${path} is a ${type} with the kernel ${kernel}; a regression with the kernel rbf is expected`);
  }
  const lines = body.split(/\r?\n/).filter((line) => line.trim() !== "");
  const rows = lines.map((line) => {
    const [coefficient, ...entries] = line.trim().split(/\s+/);
    const vector: number[] = Array(36).fill(0);
    for (const entry of entries) {
      const [index, value] = entry.split(":").map(Number);
      if (!(index! >= 1 && index! <= 36))
        throw new FileError(`${path}: there are 36 features, not one of number "${entry}"`);
      vector[index! - 1] = value!;
    }
    return { coefficient: Number(coefficient), vector };
  });
  const total = Number(said.get("total_sv"));
  if (rows.length !== total) throw new FileError(`${path} is damaged: it has ${rows.length} vectors and says ${total}`);
  return {
    gamma: Number(said.get("gamma")),
    offset: Number(said.get("rho")),
    coefficients: rows.map(({ coefficient }) => coefficient),
    vectors: rows.map(({ vector }) => vector),
  };
}

/** @returns least and greatest value of each feature, which become −1 and 1 */
function scaleOf(text: string, path: string): { minimum: number[]; maximum: number[] } {
  if (/^\s*\{/.test(text)) {
    const form = z.looseObject({ min_: features, max_: features });
    const { min_, max_ } = checked(jsonOf(text, path), `${path} (range of features)`, form);
    return { minimum: min_, maximum: max_ };
  }
  const [kind, ends, ...lines] = text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.trim().split(/\s+/));
  const rows = lines.map((line) => line.map(Number));
  const complete = rows.length === 36 && rows.every(([index, ...rest], i) => index === i + 1 && rest.length === 2);
  if (kind?.[0] !== "x" || ends?.map(Number).join() !== "-1,1" || !complete) {
    throw new FileError(
      `${path} says no scaling of 36 features to -1 … 1: lines "x", "-1 1", "1 least greatest" … are expected, or JSON of min_ and max_`,
    );
  }
  return { minimum: rows.map((row) => row[1]!), maximum: rows.map((row) => row[2]!) };
}
