import { type Reason, reasons } from "./names.ts";

/** What a picture may be told to be, in the order of a head's answer. */
export const classes = ["none", ...reasons] as const;

export type ReasonClass = (typeof classes)[number];

/** y = W x + b. */
export interface Layer {
  /** [out, in] by rows. */
  readonly weight: Float32Array;
  /** [out] */
  readonly bias: Float32Array;
}

/** A network of one hidden layer from standardised statistics of a picture to {@link classes}. */
export interface ReasonHead {
  /** Of the statistics over the pictures that it was taught with. */
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
  readonly hidden: Layer;
  readonly output: Layer;
  /** Answers are divided by it before they become probabilities: chosen on photographs that the weights have not seen. */
  readonly temperature: number;
  /** Probability from which on a reason is told. */
  readonly least: number;
  /** Share of the range of scores from which on a picture is good, and no reason is told. */
  readonly good: number;
}

/** A reason why the score of a picture may be low. */
export interface ReasonTold {
  readonly reason: Reason;
  /** 0 to 1, of this one against the others and none. */
  readonly probability: number;
}

/** Standardised statistics are cut off here: what lies further out was never seen. */
const furthest = 5;

/** Statistics as the head takes them: (x − mean) / deviation within ±5. */
export function standardised(
  { mean, deviation }: Pick<ReasonHead, "mean" | "deviation">,
  statistics: ArrayLike<number>,
): Float32Array<ArrayBuffer> {
  return Float32Array.from(mean, (m, i) =>
    Math.max(-furthest, Math.min(furthest, (statistics[i]! - m) / deviation[i]!)),
  );
}

/** The head's answer before it is divided by the temperature. @param x as {@link standardised} gives it */
export function answer({ hidden, output }: Pick<ReasonHead, "hidden" | "output">, x: Float32Array): Float64Array {
  return through(
    output,
    through(hidden, x).map((value) => Math.max(0, value)),
  );
}

function through({ weight, bias }: Layer, x: ArrayLike<number>): Float64Array {
  const length = x.length;
  return Float64Array.from(bias, (start, row) => {
    let sum = start;
    for (let i = 0; i < length; i++) sum += weight[row * length + i]! * x[i]!;
    return sum;
  });
}

/** softmax(answer / temperature). */
export function softened(answers: ArrayLike<number>, temperature: number): Float64Array {
  const scaled = Float64Array.from(answers, (value) => value / temperature);
  const most = Math.max(...scaled);
  const powers = scaled.map((value) => Math.exp(value - most));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** Probabilities of {@link classes}. */
export function probabilitiesOf(head: ReasonHead, statistics: ArrayLike<number>): Float64Array {
  return softened(answer(head, standardised(head, statistics)), head.temperature);
}

/** Reasons by falling probability: those of at least `least`, and none where none is the most probable. */
export function toldReasons(probabilities: ArrayLike<number>, least: number): ReasonTold[] {
  const all = reasons.map((reason, i) => ({ reason, probability: probabilities[i + 1]! }));
  const told = all.filter(({ probability }) => probability >= least).sort((a, b) => b.probability - a.probability);
  return told[0] && told[0].probability > probabilities[0]! ? told : [];
}
