import { stat } from "node:fs/promises";
import { glob } from "tinyglobby";
import { DatasetError } from "./problems.ts";

/** File name extensions of pictures. */
export const pictureExtensions: readonly string[] = (
  "jpg jpeg jpe jfif png webp tif tiff gif avif bmp " +
  // Listed although they cannot be decoded, so that they are reported and not passed over.
  "heic heif"
).split(" ");

/**
 * Pictures below a folder, as paths relative to it with forward slashes, sorted by code unit. Hidden files are left out.
 * @throws DatasetError when the folder does not exist or is a file
 */
export async function listPictures(
  folder: string,
  options: { readonly recursive?: boolean; readonly extensions?: readonly string[] } = {},
): Promise<string[]> {
  const info = await stat(folder).catch((error: Error) => {
    throw new DatasetError(`The picture folder ${folder} cannot be read: ${error.message}`, { cause: error });
  });
  if (!info.isDirectory()) throw new DatasetError(`${folder} is a file; a folder of pictures is expected.`);
  const extensions = new Set(
    (options.extensions ?? pictureExtensions).map((extension) => `.${extension.toLowerCase()}`),
  );
  const names = await glob(options.recursive === false ? "*" : "**/*", { cwd: folder, onlyFiles: true });
  return names.filter((name) => extensions.has(name.slice(name.lastIndexOf(".")).toLowerCase())).sort();
}
