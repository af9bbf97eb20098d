/** What an environment variable of the process says; a page has none. */
export function environmentVariable(name: string): string | undefined {
  return process.env[name];
}
