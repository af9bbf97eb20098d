/** The command line asks for something that cannot be: the command ends with exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}
