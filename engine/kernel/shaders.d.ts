/** Texts of the files below `shaders/` by name, such as "elementwise/binary": what `test/package/bundle.ts` puts into a bundle. */
declare module "acutance:shaders" {
  const texts: Readonly<Record<string, string>>;
  export default texts;
}
