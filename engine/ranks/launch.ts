/** What starts ranks says to each of them: its number and how many there are, by the names of its variables. */
const launchers = [
  ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
  ["PMI_RANK", "PMI_SIZE"],
  ["MPI_RANKID", "MPI_NRANKS"],
] as const;

/** Rank and size as the launcher of this process gave them in its environment; undefined when it was started by none. */
export function launchedRank(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): { readonly rank: number; readonly size: number } | undefined {
  for (const [rank, size] of launchers) {
    const [own, all] = [Number(environment[rank]), Number(environment[size])];
    if (Number.isInteger(own) && Number.isInteger(all) && all >= 1) return { rank: own, size: all };
  }
  return undefined;
}
