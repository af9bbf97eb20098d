import type { PictureReason } from "../picture-error.ts";

/** What a look at the bytes of a picture found out about its pixels. */
export type Finding =
  /**
   * All are there. `bytes` holds the picture without what a decoder may stumble over. `unread` is set where the data itself was not
   * looked into, so that what a decoder still remarks on is damage.
   */
  | { readonly whole: true; readonly bytes: Uint8Array; readonly unread?: true }
  | { readonly whole: false; readonly reason: PictureReason; readonly detail: string };

/** Ends a look at a picture that cannot be shown as it was. */
export class Missing extends Error {
  readonly reason: PictureReason;

  constructor(reason: PictureReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** A share as people write it, never 100 % of what is incomplete. */
export function percent(part: number, whole: number): string {
  return `${Math.min(99, Math.floor((100 * part) / whole))} %`;
}
