/** Files of the system. A page has none: there these are bytes that it was given by name. */
export { type FileHandle, open, readdir, readFile, stat } from "node:fs/promises";
/** Path of a `file:` URL. */
export { fileURLToPath as filePath } from "node:url";
