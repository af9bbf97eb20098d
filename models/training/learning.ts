import type { NamedTensor } from "../../engine/nn/named.ts";
import { parameterGroups } from "../../engine/optim/groups.ts";
import type { ParameterGroup } from "../../engine/optim/optimiser.ts";
import { isOfHead, type ModelCard, type QualityNetwork } from "../networks/model.ts";
import type { PartViews } from "../views/view-kind.ts";
import type { Phase, StepTask } from "./method.ts";
import type { TrainingOptions } from "./options.ts";

/** What a phase has its steps learn. */
export interface Learning extends Pick<Phase, "settings" | "headAlone" | "drifting" | "rates"> {
  readonly task: StepTask;
  /** @default each picture once, weak */
  readonly views?: PartViews | undefined;
}

/**
 * What of a model, and of what a task has beside it, learns in a phase, and at which rates.
 * @param epoch of the step that is at hand, for rates of their own course
 * @returns `tensors`: those of the model alone
 */
export function learnedParameters(
  model: QualityNetwork,
  { options, fresh }: Pick<ModelCard<TrainingOptions>, "options" | "fresh">,
  learning: Learning | undefined,
  epoch: () => number,
): { readonly tensors: readonly NamedTensor[]; readonly groups: readonly ParameterGroup[] } {
  const { rate, freshRate, decay } = { ...options, ...learning?.settings };
  const { layerDecay } = options;
  const { frozenNames } = model;
  const learns = (name: string) => (learning?.headAlone ? isOfHead(name) : !frozenNames.has(name));
  const tensors = model.tensors().filter(({ name }) => learns(name));
  const modules = learning?.task.modules?.() ?? [];
  const beside = new Set(modules.map(({ name }) => name));
  const depth = (name: string) => (beside.has(name) ? model.backbone.layers : model.depthOf(name));
  const layers = layerDecay < 1 && { layers: { decay: layerDecay, depth } };
  const all = [...tensors, ...modules];
  const rates = learning?.rates;
  const groups = rates
    ? [...Map.groupBy(all, ({ name }) => rates(name))].flatMap(([rateOf, own]) =>
        parameterGroups(own, { rate: 1, decay, ...layers }).map((group) => ({
          ...group,
          factor: () => rateOf(epoch()),
        })),
      )
    : parameterGroups(all, {
        rate,
        decay,
        fresh: { rate: freshRate, names: new Set([...fresh, ...beside]) },
        ...layers,
      });
  return { tensors, groups };
}
