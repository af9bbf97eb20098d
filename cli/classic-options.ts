import { type Command, Option } from "commander";
import {
  type ClassicMethod,
  type ClassicOptions,
  type ClassicScale,
  type ClassicScorer,
  classicMethods,
  openClassicScorer,
} from "../models/classic/index.ts";
import { type DecodingOptions, decodingOf } from "./data-options.ts";

/** Options that ask for a formula instead of a model. */
export interface ClassicFlags {
  readonly method?: ClassicMethod;
  readonly parameters?: string;
  readonly featureRange?: string;
}

/** Flags that say that there is a method and where its parameters are. */
export type ChosenClassic = ClassicFlags & Required<Pick<ClassicFlags, "method" | "parameters">>;

/** Adds --method, --parameters and --feature-range. */
export function addClassicOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--method <name>", "a formula instead of a model, see below")
        .choices(classicMethods)
        .conflicts(["model", "tiles"]),
    )
    .option("--parameters <file>", "parameters of the method")
    .option("--feature-range <file>", "scaling of features, with a LIBSVM model of BRISQUE")
    .addHelpText("after", notes);
}

const notes = `
--method niqe and --method brisque score without training, by statistics of natural scenes. NIQE has no upper end and lower is better; the scale
of BRISQUE is that of the ratings it was learnt from. Parameters are made by acutance parameters: of NIQE from good photographs, of
BRISQUE from rated pictures. Those of the authors are read too: modelparameters.mat (or .npz) of NIQE, which may not be used commercially; a
LIBSVM model of BRISQUE with its range file as --feature-range.`;

/** The flags where they ask for a method. Ends the command where they do not fit one another. */
export function classicOf(flags: ClassicFlags, command: Command): ChosenClassic | undefined {
  const { method, parameters, featureRange } = flags;
  const wrong = (message: string) => command.error(`error: ${message}`, { exitCode: 2 });
  if (!method && (parameters ?? featureRange) !== undefined) {
    wrong(`--${parameters === undefined ? "feature-range" : "parameters"} goes with --method niqe or --method brisque`);
  }
  if (!method) return undefined;
  if (parameters === undefined) {
    const source =
      method === "niqe" ? "niqe photos --out niqe.json" : "brisque --data photos --csv scores.csv --out brisque.json";
    wrong(`--method ${method} needs --parameters <file>; make one by: acutance parameters ${source}`);
  }
  return { ...flags, method, parameters: parameters! };
}

/** The scorer that the flags ask for. */
export function openClassic(
  flags: ChosenClassic & DecodingOptions,
  device: NonNullable<ClassicOptions["device"]>,
): Promise<ClassicScorer> {
  const { method, parameters, featureRange } = flags;
  return openClassicScorer({
    method,
    parameters,
    ...(featureRange !== undefined && { featureRange }),
    device,
    ...decodingOf(flags),
  });
}

export function directionWords({ lowerIsBetter }: Pick<ClassicScale, "lowerIsBetter">): string {
  return lowerIsBetter ? "lower is better" : "higher is better";
}
