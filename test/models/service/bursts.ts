import sharp, { type Sharp } from "sharp";
import { demoScenes } from "../../../models/demo.ts";

/** A burst of three, of which `clean.jpg` is the best, one of two, of which `b-sharp.jpg` is, and a picture that is like no other. */
export async function bursts(): Promise<{ name: string; bytes: Uint8Array<ArrayBuffer> }[]> {
  const scenes = await demoScenes({ side: 240, perPhotograph: 1 });
  const [one, two, three] = scenes.map(
    ({ bytes }) =>
      () =>
        sharp(bytes, { raw: { width: 240, height: 240, channels: 3 } }),
  );
  const jpeg = async (name: string, made: Sharp) => ({
    name,
    bytes: new Uint8Array(await made.jpeg({ quality: 92 }).toBuffer()),
  });
  return Promise.all([
    jpeg("soft.jpg", one!().blur(2.5)),
    jpeg("b-soft.jpg", two!().blur(2)),
    jpeg("clean.jpg", one!()),
    jpeg("alone.jpg", three!()),
    jpeg("slight.jpg", one!().blur(1)),
    jpeg("b-sharp.jpg", two!()),
  ]);
}
