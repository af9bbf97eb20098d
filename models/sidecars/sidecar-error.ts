/**
 * Why a sidecar is not written. `damaged`: it is no well-formed XML, or in an encoding that cannot be kept; `not-xmp`: it is XML of
 * another kind, or has a form that is not understood; `changed`: another program wrote to it each time that it was about to be
 * replaced; `unwritable`: the system refuses, `code` says how.
 */
export type SidecarReason = "damaged" | "not-xmp" | "changed" | "unwritable";

/** A sidecar that stays as it is. The message names the file, says what is wrong and what to do. */
export class SidecarError extends Error {
  override name = "SidecarError";
  readonly reason: SidecarReason;
  /** Path of the sidecar; undefined where a text was given. */
  readonly sidecar: string | undefined;
  /** The system's code, such as EACCES. */
  readonly code: string | undefined;

  constructor(reason: SidecarReason, message: string, options: ErrorOptions & { readonly sidecar?: string } = {}) {
    super(message, options);
    this.reason = reason;
    this.sidecar = options.sidecar;
    this.code = (options.cause as NodeJS.ErrnoException | undefined)?.code;
  }
}
