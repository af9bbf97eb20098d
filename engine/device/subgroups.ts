/** Invocations that a subgroup of an adapter may have; zeros where it does not tell. */
export interface SubgroupRange {
  readonly min: number;
  readonly max: number;
}

/** What of a device is asked here. */
interface Adapter {
  readonly subgroups: SubgroupRange;
  readonly isSoftware: boolean;
  readonly features: ReadonlySet<string>;
}

/** Lanes of the widest subgroups that processors have. Their workgroup memory is memory, and their barriers are dear. */
const narrow = 16;

/** The feature by which a kernel asks for a size of its subgroups, of which the adapter has several. */
export const sizeControl = "subgroup-size-control";

/**
 * Whether a subgroup may have more lanes than processors have: then there are registers and workgroup memory for each, and a
 * workgroup of few invocations leaves lanes idle. An adapter that does not tell is taken at its name.
 */
export function isWide({ subgroups: { max }, isSoftware }: Pick<Adapter, "subgroups" | "isSoftware">): boolean {
  return max > 0 ? max > narrow : !isSoftware;
}

/** Whether a kernel can ask for subgroups of so many lanes, and may get others unless it does. */
export function canChoose({ subgroups, features }: Pick<Adapter, "subgroups" | "features">, lanes: number): boolean {
  const { min, max } = subgroups;
  return features.has(sizeControl) && min < max && min <= lanes && lanes <= max;
}
