import { DatasetError, type MosRange } from "../data/index.ts";
import { classShapes } from "./label-shapes.ts";
import { classCentres, denormaliseScore, expectation, scoreSet } from "./labels.ts";

/** What is to learn the labels. */
export interface LearnerOptions {
  readonly head: "distribution" | "score" | "classes" | "ensemble";
  /** Classes, or members of the score set. */
  readonly levels: number;
  /** σ of the normal density over its neighbours that a class is learned as, in classes. @default 0, the class alone */
  readonly ordinal?: number;
  /** Ends of the scale that the network learns. */
  readonly range: MosRange;
  /**
   * `soft`: the probabilities, where the file has those of the network's kind. `hard`: the class alone, or the score alone.
   * @default "soft"
   */
  readonly target?: "soft" | "hard";
}

/** The columns of a file, in lower case. */
export interface LabelFacts {
  readonly columns: readonly string[];
}

/** What a line says in a column; NaN for what is no number. */
export interface Answer {
  text(column: string): string;
  number(column: string): number;
}

/** What a network learns of a line: the label, else that which its options make of the score. */
interface Learned {
  /** The score, on the scale of the network. */
  readonly mos: number;
  readonly label?: readonly number[];
}

/** What is learned from: a column, or all probabilities. */
type Source = "probabilities" | "class" | "score";

/** Probabilities may miss 1 by so much: that of a file with three decimals each. */
const sumSlack = 5e-3;

/** Reads lines of labels as one network learns them. */
export class LabelReader {
  readonly #options: LearnerOptions;
  readonly #columns: readonly string[];
  /** Columns of the probabilities, the lowest quality first. */
  readonly #probabilities: readonly string[];
  readonly #source: Source;

  /** @throws DatasetError when the columns hold nothing that the network can learn */
  constructor(
    columns: readonly string[],
    options: LearnerOptions,
    words: { readonly file: string; readonly levels: string; readonly target: string },
  ) {
    this.#options = options;
    this.#columns = columns;
    this.#probabilities = probabilityColumns(columns);
    this.#source = this.#chosen(words);
  }

  /** What the network learns of a line; a sentence when it cannot. */
  read(answer: Answer): Learned | string {
    if (this.#source === "score") return this.#scaleFault(answer) ?? this.#byScore(answer);
    return this.#source === "class" ? this.#byClass(answer) : this.#byProbabilities(answer);
  }

  #chosen({ file, levels: word, target: targetWord }: { file: string; levels: string; target: string }): Source {
    const { levels, target = "soft" } = this.#options;
    // The heads of an ensemble learn one score.
    const head = this.#options.head === "ensemble" ? "score" : this.#options.head;
    const has = (column: string) => this.#columns.includes(column);
    const kind = has("class") ? "classes" : has("standarddeviation") ? "distribution" : head;
    const count = this.#probabilities.length;
    const own = count > 0 && kind === head && head !== "score";
    if (own && count !== levels && (target === "soft" || head === "classes")) {
      const first = `${this.#probabilities[0]} to ${this.#probabilities.at(-1)}`;
      throw new DatasetError(
        `${file} has ${count} probabilities (${first}), the network learns ${levels} ${head === "classes" ? "classes" : "levels"}; give ${word} ${count}${head === "classes" ? "" : `, or ${targetWord} hard to learn scores`}.`,
      );
    }
    if (own && target === "soft") return "probabilities";
    if (head === "classes" && has("class")) return "class";
    if (has("score")) return "score";
    if (own) return "probabilities";
    const wanted =
      head === "classes" ? "class, score, or p1, p2, …" : head === "score" ? "score" : "score, or p1, p2, …";
    throw new DatasetError(
      `${file} has nothing that a network with the head ${head} learns: a column ${wanted}; it has ${this.#columns.filter(Boolean).join(", ")}.`,
    );
  }

  /** Why a score is not on the scale of the network, where the line says its ends. Classes and levels are shares of any scale. */
  #scaleFault(answer: Answer): string | undefined {
    const { range } = this.#options;
    if (!this.#saysScale) return undefined;
    const given = [answer.number("low"), answer.number("high")];
    if (given.join() === range.join()) return undefined;
    return `its model scores from ${answer.text("low")} to ${answer.text("high")}, the training is on [${range.join(", ")}]; label with a model of the same scale.`;
  }

  get #saysScale(): boolean {
    return this.#columns.includes("low") && this.#columns.includes("high");
  }

  #byScore(answer: Answer): Learned | string {
    const { range } = this.#options;
    const [low, high] = range;
    const score = answer.number("score");
    // A network that gives scores alone goes a little beyond the ends.
    const isOwn = this.#saysScale && Number.isFinite(score);
    if (isOwn || (score >= low && score <= high)) return { mos: Math.max(low, Math.min(high, score)) };
    return `the score "${answer.text("score")}" is not a number from ${low} to ${high}.`;
  }

  #byClass(answer: Answer): Learned | string {
    const { levels } = this.#options;
    const own = answer.number("class");
    if (!(Number.isInteger(own) && own >= 0 && own < levels)) {
      return `the class "${answer.text("class")}" is none; there are ${levels}, 0 (the lowest quality) to ${levels - 1}.`;
    }
    return this.#ofClass(own);
  }

  /** The label is that of the class itself, wherever classes meet on the scale of the network; the score is of equal widths. */
  #ofClass(own: number): Learned {
    const { levels, range, ordinal } = this.#options;
    const label = [...classShapes(levels, ordinal).subarray(own * levels, (own + 1) * levels)];
    return { mos: denormaliseScore(classCentres(levels)[own]!, range), label };
  }

  #byProbabilities(answer: Answer): Learned | string {
    const { head, levels, range, target } = this.#options;
    const label = this.#probabilities.map((column) => answer.number(column));
    const wrong = label.findIndex((share) => !(share >= 0 && share <= 1));
    const column = this.#probabilities[wrong];
    if (column !== undefined) return `the probability ${column} "${answer.text(column)}" is not a number from 0 to 1.`;
    const sum = label.reduce((total, share) => total + share, 0);
    if (Math.abs(sum - 1) > sumSlack) return `its probabilities add up to ${Number(sum.toPrecision(6))}, not to 1.`;
    const scores = head === "classes" ? classCentres(levels) : scoreSet(levels);
    const shares = label.map((share) => share / sum);
    const mos = denormaliseScore(expectation(shares, scores), range);
    if (target !== "hard") return { mos, label: shares };
    return head === "classes" ? this.#ofClass(shares.indexOf(Math.max(...shares))) : { mos };
  }
}

/** p1, p2, … or p0, p1, …, as far as they go on. */
function probabilityColumns(columns: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = columns.includes("p0") ? 0 : 1; columns.includes(`p${i}`); i++) found.push(`p${i}`);
  return found.length > 1 ? found : [];
}
