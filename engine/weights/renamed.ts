import type { WeightsFile } from "./stored.ts";

/**
 * The tensors of an open file whose names begin in some way, under names that begin in another, such as those of one branch of a
 * network. What the view is closed by is the file.
 * @param from how the names in the file begin @param to what stands there in the view
 */
export function renamed(file: WeightsFile, from: string, to = ""): WeightsFile {
  const inFile = (name: string) => (name.startsWith(to) ? from + name.slice(to.length) : name);
  const tensors = [...file.tensors].flatMap(([name, info]) =>
    name.startsWith(from) ? [[to + name.slice(from.length), info] as const] : [],
  );
  return {
    path: `${file.path}: ${from}*`,
    tensors: new Map(tensors),
    notes: file.notes,
    read: (name) => file.read(inFile(name)),
    close: () => file.close(),
    [Symbol.asyncDispose]: () => file.close(),
  };
}
