// Pictures that are dropped, pasted or chosen, with folders walked through.

/** @typedef {{ file: File, name: string }} Found */
/** What was given, and how many files of folders are no pictures, and how many files and folders cannot be read. @typedef {{ found: Found[], leftOut: number, unreadable: number }} Files */

const pictureNames = /\.(jpe?g|jfif|png|webp|avif|gif|tiff?|heic|heif|jp2|jxl|bmp)$/i;

/**
 * What a drop holds. Files dropped themselves are taken whatever they are, the service says what is wrong with them; in folders
 * what is no picture by type or name is left out.
 * @param {DataTransfer} transfer
 * @returns {Promise<Files>}
 */
export async function filesOfDrop(transfer) {
  // All must be taken before the first wait: the transfer is empty afterwards.
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const given = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  /** @type {Files} */
  const files = { found: [], leftOut: 0, unreadable: 0 };
  /** @param {FileSystemEntry} entry @param {boolean} inFolder */
  const walk = async (entry, inFolder) => {
    try {
      if (entry.isDirectory) {
        for (const inner of await entriesIn(/** @type {FileSystemDirectoryEntry} */ (entry))) await walk(inner, true);
        return;
      }
      const file = await fileOf(/** @type {FileSystemFileEntry} */ (entry));
      if (inFolder && !isPicture(file)) files.leftOut++;
      else files.found.push({ file, name: entry.fullPath.replace(/^\//, "") });
    } catch {
      files.unreadable++;
    }
  };
  for (const { entry, file } of given) {
    if (entry) await walk(entry, false);
    else if (file) files.found.push({ file, name: file.name });
  }
  return files;
}

/** @param {FileList} list of an input that may take a folder @returns {Files} */
export function filesOfInput(list) {
  const files = [...list];
  const inFolder = files.some((file) => file.webkitRelativePath);
  const found = files
    .filter((file) => !inFolder || isPicture(file))
    .map((file) => ({ file, name: file.webkitRelativePath || file.name }));
  return { found, leftOut: files.length - found.length, unreadable: 0 };
}

/** @param {File} file */
function isPicture({ type, name }) {
  return (type.startsWith("image/") && type !== "image/svg+xml") || pictureNames.test(name);
}

/** @param {FileSystemDirectoryEntry} folder @returns {Promise<FileSystemEntry[]>} */
async function entriesIn(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  for (;;) {
    // A reader gives some hundred at a time, then none.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

/** @param {FileSystemFileEntry} entry @returns {Promise<File>} */
function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
