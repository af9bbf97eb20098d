/** What the system said, without the call and the path. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (
    {
      ENOENT: "there is nothing of this name",
      EISDIR: "it is a folder",
      ENOTDIR: "a part of the path is a file",
      EACCES: "permission denied",
      EPERM: "permission denied",
      ELOOP: "the link leads to itself",
      ENAMETOOLONG: "the path is too long",
      EIO: "the disk fails to read it",
    }[code ?? ""] ?? message
  );
}
