/**
 * Modules as one script for a page's own `<script type="module">`, which cannot import: they share one scope, so a name that two
 * of them declare is a syntax error at once.
 * @param modules the sources, each before those that import it
 * @throws Error when the script would end its own element
 */
export function inlineScript(modules: readonly string[]): string {
  const joined = modules.map((source) => source.replaceAll(/^import [^;]*;\n/gm, "").replaceAll(/^export /gm, ""));
  const script = `\n${joined.join("\n")}`;
  if (/<\/script|<!--/i.test(script)) throw new Error("a script of the page would end its own element");
  return script;
}
