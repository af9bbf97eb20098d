/** Options of commands that tell reasons for low scores: `reasons` is true, a file, or false. */
export const reasonsOptions = {
  file: ["--reasons <file>", "file made by `acutance reasons`, instead of the one that comes with Acutance"],
  none: ["--no-reasons", "do not tell what most likely lowers a score"],
} as const;
