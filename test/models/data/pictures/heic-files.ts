/** Made with libheif 1.15 (`heif-enc -q 80`) from the picture that `quarters` describes; a few hundred bytes each. */
export const heicFiles = {
  /** SRGB by code points. */
  plain:
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAUJtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA" +
    "AAAAABAAAAImlsb2MAAAAAREAAAQABAAAAAAFmAAEAAAAAAAAA9gAAACNpaW5mAAAAAAABAAAAFWluZmUCAAAAAAEAAGh2YzEAAAAAwmlwcnAA" +
    "AACkaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkA" +
    "AAAwAAAwAeoDCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAiQAAAABRpc3BlAAAAAAAAAGAAAABAAAAAEHBpeGkAAAAAAwgICAAA" +
    "ABZpcG1hAAAAAAAAAAEAAQOBAoMAAAD+bWRhdAAAAPIoAa8E+O15dJ12/+vv///7rR9l/cG9QndLr73B7f1c//7vnTGa/W1A9uuhOE7LxmbKXH" +
    "qkLiRxZgYhFmZtw8O32Izrw3qFl3lHG8irkrE9sS5MDfMb5rMLG/ku/Rv2mBv/+SsQVw+CJqVVDQ+v/e/vgMWPsiLSfrDMzkp7zozb7bu2STmr" +
    "DZeL/6Rye9fdMWh/Pg8i35HGyaIXnwu4Z3iYFdt7gBfveKb9G77Oui2fMVH26M+CGu7Op/0lxmX5QzHBqXN5m/HBSNj31tWMvxixgSyFz1Y7Ma" +
    "8E4KONytjVMAiKKV2Rg+eyI+32YO9fUD5nfg==",
  /** The same samples in an ICC profile of Display P3. */
  p3:
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAy9tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA" +
    "AAAAABAAAAImlsb2MAAAAAREAAAQABAAAAAANTAAEAAAAAAAAA/gAAACNpaW5mAAAAAAABAAAAFWluZmUCAAAAAAEAAGh2YzEAAAACr2lwcnAA" +
    "AAKQaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkA" +
    "AAAwAAAwAeoDCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAiQAAAABRpc3BlAAAAAAAAAGAAAABAAAAB7GNvbHJwcm9mAAAB4Gxj" +
    "bXMEIAAAbW50clJHQiBYWVogB+IAAwAUAAkADgAdYWNzcE1TRlQAAAAAc2F3c2N0cmwAAAAAAAAAAAAAAAAAAPbWAAEAAAAA0y1oYW5kguKoco" +
    "uKP/clPrmS7iTWrgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAKZGVzYwAAAPwAAAAkY3BydAAAASAAAAAid3RwdAAAAUQAAAAUY2hh" +
    "ZAAAAVgAAAAsclhZWgAAAYQAAAAUZ1hZWgAAAZgAAAAUYlhZWgAAAawAAAAUclRSQwAAAcAAAAAgZ1RSQwAAAcAAAAAgYlRSQwAAAcAAAAAgbW" +
    "x1YwAAAAAAAAABAAAADGVuVVMAAAAIAAAAHABzAFAAMwBDbWx1YwAAAAAAAAABAAAADGVuVVMAAAAGAAAAHABDAEMAMAAAWFlaIAAAAAAAAPbW" +
    "AAEAAAAA0y1zZjMyAAAAAAABDEIAAAXe///zJQAAB5MAAP2Q///7of///k4AAAOaAADAFFhZWiAAAAAAAACD3wAAPb8AAAAAWFlaIAAAAAAAAE" +
    "q/AACxNwAACrVYWVogAAAAAAAAKDgAABEKAADIeHBhcmEAAAAAAAMAAAACZmkAAPKnAAANWQAAE9AAAApbAAAAEHBpeGkAAAAAAwgICAAAABdp" +
    "cG1hAAAAAAAAAAEAAQSBAoOEAAABBm1kYXQAAAD6KAGvBPhBMmnb/5lf///sox2X9KaMJ3S6++Xun/UZ//5vazGa+VnyFnQThO1GWd6zwYqQZq" +
    "Sf6bYeXAFmhL43Fe0tv2dRMcfNkFrOwaWN2jaiagFa/iJCCZE2L7NZ/g/qfrfyLuX/CNejfsB+3/7+WMrh7b+r/TwGaE7YVsN6R9QV5jOJ1aVT" +
    "1PoLnB0cVIOsgN0/FLoNdut1pO4/x7LHz90NeW/YXnwu173EwFdt7ONcxeKb84Pr0aLZ8pJ/Yk33Ra7s6i/IXGZUIs5waX7VuvxtrjTG9cdqcc" +
    "q9cLwg3Irq3p2R8wZsReIn/xVJYB8d3SCJXyi3HGtW8A==",
  /** 10 bits. */
  deep:
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAUBtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA" +
    "AAAAABAAAAImlsb2MAAAAAREAAAQABAAAAAAFkAAEAAAAAAAAAbQAAACNpaW5mAAAAAAABAAAAFWluZmUCAAAAAAEAAGh2YzEAAAAAwGlwcnAA" +
    "AACiaXBjbwAAAHZodmNDAQQIAAAAAAAAAAAAHvAA/P36+gAADwMgAAEAF0ABDAH//wQIAAADAJ24AAADAAAeugJAIQABACpCAQEECAAAAwCduA" +
    "AAAwAAHqAwgQTZbqSSmubgQEDAgAAAAwCAAAADAIQiAAEAB0QBwXKwIkAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMKCgoAAAAW" +
    "aXBtYQAAAAAAAAABAAEDgQKDAAAAdW1kYXQAAABpKAGvBPhBMmnb/7CP///u3b2X9wK/Cd0uvvdCM/eP//u+g3vlEC+af5If0b9pxx//kuZo0f" +
    "Sq+jrsyTJn1ca1dhYyL7E2//L23XoReJWk7mS+fwzXZa8gjsGePDKleOayp+/E14ZZ88bk",
  /** The upper half transparent. */
  alpha:
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAkVtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA" +
    "AAAAABAAAANGlsb2MAAAAAREAAAgABAAAAAAJpAAEAAAAAAAAA9gACAAAAAANfAAEAAAAAAAABOQAAADhpaW5mAAAAAAACAAAAFWluZmUCAAAA" +
    "AAEAAGh2YzEAAAAAFWluZmUCAAAAAAIAAGh2YzEAAAABhGlwcnAAAAFfaXBjbwAAAHhodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwMgAAEAGE" +
    "ABDAH//wNwAAADAJAAAAMAAAMAHroCQCEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbqSSmubgQEDAgAAAMACAAAAwAIQCIAAQAHRAHBcrAi" +
    "QAAAABRpc3BlAAAAAAAAAGAAAABAAAAAEHBpeGkAAAAAAwgICAAAAHJodmNDAQQIAAAAAAAAAAAAHvAA/Pz4+AAADwMgAAEAF0ABDAH//wQIAA" +
    "ADAJ/4AAADAAAeugJAIQABACZCAQEECAAAAwCf+AAAAwAAHsDCBBZbqSSmubAgAAADACAAAAMAISIAAQAHRAHBcrAiQAAAABRpc3BlAAAAAAAA" +
    "AGAAAABAAAAADnBpeGkAAAAAAQgAAAAnYXV4QwAAAAB1cm46bXBlZzpoZXZjOjIwMTU6YXV4aWQ6MQAAAAAdaXBtYQAAAAAAAAACAAEDgQKDAA" +
    "IEhAWGhwAAABppcmVmAAAAAAAAAA5hdXhsAAIAAQABAAACN21kYXQAAADyKAGvBPjteXSddv/r7///+60fZf3BvUJ3S6+9we39XP/+750xmv1t" +
    "QPbroThOy8Zmylx6pC4kcWYGIRZmbcPDt9iM68N6hZd5RxvIq5KxPbEuTA3zG+azCxv5Lv0b9pgb//krEFcPgialVQ0Pr/3v74DFj7Ii0n6wzM" +
    "5Ke86M2+27tkk5qw2Xi/+kcnvX3TFofz4PIt+RxsmiF58LuGd4mBXbe4AX73im/Ru+zrotnzFR9ujPghruzqf9JcZl+UMxwalzeZvxwUjY99bV" +
    "jL8YsYEshc9WOzGvBOCjjcrY1TAIiildkYPnsiPt9mDvX1A+Z34AAAE1KAGuCfDsajzLN/99BBhtO5/xUQP+JmqdzcMGrn2ETirHKv5VE3GSoO" +
    "owWx2IWagLRu/OZPFMjlL2xNvwF7mmvFnoA5RcGWLoizzfcctOdWwfI/9Av8db+3+NNGKmwJhV45DTtwAr0LOaiGCW7mOaY4e5jYH91V9bovpt" +
    "4C190ZcPxTDw4OqRISWOCP1/jjw+xFZ/T/9m/9Kv83K7SCZ8Jv1d1wtzYuXV+xL1uff0Q+5kOlA55j3Bayh8QbMHz0F74EhwR+v8ceH2IrP6f/" +
    "s3/pVE4mYpQomNK4r0sOmTbkHANngj9f448PsRWf0//Zv/SrzE+e4o7LkwtExhQewt2WsTk3+SCSvx5by/lUm5+oveYkTXd6Fsq7+UXAFQbHB9" +
    "u/r3rNBWGNHfIS0K/xR7uRa7tVjs",
  /** A yellow square of 32 pixels behind the primary picture. */
  several:
    "AAAAKGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZm1pZjFoZWljbWlhZgAAAnhtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAA" +
    "AAAAAAAA5waXRtAAAAAAABAAAAEGlkYXQAAAAAACAAIAAAAExpbG9jAQAAAERAAAMAAQAAAAAAAAKoAAEAAAAAAAAA9gACAAAAAAAAA54AAQAA" +
    "AAAAAAAfAAMAAQAAAAAAAAABAAAAAAAAAAgAAABNaWluZgAAAAAAAwAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABodmMxAA" +
    "AAABVpbmZlAgAAAAADAABncmlkAAAAAXppcHJwAAABUmlwY28AAAB4aHZjQwEDcAAAAAAAAAAAAB7wAPz9+PgAAA8DIAABABhAAQwB//8DcAAA" +
    "AwCQAAADAAADAB66AkAhAAEAK0IBAQNwAAADAJAAAAMAAAMAHqAwgQWW6kkprm4EBAwIAAADAAgAAAMACEAiAAEAB0QBwXKwIkAAAAAUaXNwZQ" +
    "AAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgAAAB2aHZjQwEDcAAAAAAAAAAAAB7wAPz9+PgAAA8DIAABABhAAQwB//8DcAAAAwCQAAADAAAD" +
    "AB66AkAhAAEAKkIBAQNwAAADAJAAAAMAAAMAHqAggQWW6uSmubgQEDAgAAADACAAAAMAISIAAQAGRAHBc8CJAAAAFGlzcGUAAAAAAAAAQAAAAE" +
    "AAAAAUaXNwZQAAAAAAAAAgAAAAIAAAABBwaXhpAAAAAAMICAgAAAAgaXBtYQAAAAAAAAADAAEDgQKDAAIChAUAAwIGhwAAABppcmVmAAAAAAAA" +
    "AA5kaW1nAAMAAQACAAABHW1kYXQAAADyKAGvBPjteXSddv/r7///+60fZf3BvUJ3S6+9we39XP/+750xmv1tQPbroThOy8Zmylx6pC4kcWYGIR" +
    "ZmbcPDt9iM68N6hZd5RxvIq5KxPbEuTA3zG+azCxv5Lv0b9pgb//krEFcPgialVQ0Pr/3v74DFj7Ii0n6wzM5Ke86M2+27tkk5qw2Xi/+kcnvX" +
    "3TFofz4PIt+RxsmiF58LuGd4mBXbe4AX73im/Ru+zrotnzFR9ujPghruzqf9JcZl+UMxwalzeZvxwUjY99bVjL8YsYEshc9WOzGvBOCjjcrY1T" +
    "AIiildkYPnsiPt9mDvX1A+Z34AAAAbKAGvBPhxZNOX/8cr////ZGY7L7SaQ7SfAP2/",
} as const;

/** Centres of the quarters of all of them, 96 x 64 pixels: red, green; blue, grey from 160 on. */
export const quarters = [
  { x: 24, y: 16, colour: [220, 40, 30] },
  { x: 72, y: 16, colour: [40, 180, 60] },
  { x: 24, y: 48, colour: [30, 60, 200] },
  { x: 72, y: 48, colour: [152, 152, 152] },
] as const;

/** The file with another property of its primary picture, the item 1, at the end of those it has: properties apply in their order. */
export function withProperty(file: Uint8Array, type: string, content: readonly number[]): Uint8Array {
  const bytes = Buffer.from(file);
  const box = Buffer.concat([Buffer.alloc(4), Buffer.from(type, "latin1"), Buffer.from(content)]);
  box.writeUInt32BE(box.length, 0);
  const start = (name: string) => bytes.indexOf(name, 0, "latin1") - 4;
  const end = (name: string) => start(name) + bytes.readUInt32BE(start(name));
  const count = boxesIn(bytes.subarray(start("ipco") + 8, end("ipco")));
  // One entry of the item 1 stands first, with indices of one byte each.
  const indices = start("ipma") + 18;
  const behind = indices + 1 + bytes[indices]!;
  const more = box.length + 1;
  const whole = Buffer.concat([
    bytes.subarray(0, end("ipco")),
    box,
    bytes.subarray(end("ipco"), behind),
    // Essential.
    Buffer.from([0x80 | (count + 1)]),
    bytes.subarray(behind),
  ]);
  const grow = (at: number, by: number) => whole.writeUInt32BE(whole.readUInt32BE(at) + by, at);
  grow(start("meta"), more);
  grow(start("iprp"), more);
  grow(start("ipco"), box.length);
  grow(start("ipma") + box.length, 1);
  whole[indices + box.length]!++;
  // Where the item's data begin: version 0 of the box, one item.
  grow(start("iloc") + 8 + 4 + 2 + 2 + 2 + 2, more);
  return whole;
}

function boxesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) count++;
  return count;
}

/** The file with such code points in the stream's own parameters, which say that they are not known. */
export function withStreamColours(file: Buffer, primaries: number, transfer: number): Buffer {
  const start = file.indexOf("hvcC", 0, "latin1");
  const found: Buffer[] = [];
  for (let bit = 8 * start; bit < 8 * (start + 0x74); bit++) {
    if (bitsAt(file, bit) !== 0x020202 && bitsAt(file, bit) !== 0x020206) continue;
    const changed = Buffer.from(file);
    for (let i = 0; i < 16; i++) {
      const value = (((primaries << 8) | transfer) >> (15 - i)) & 1;
      const at = bit + i;
      changed[at >> 3] = (changed[at >> 3]! & ~(0x80 >> (at & 7))) | (value << (7 - (at & 7)));
    }
    found.push(changed);
  }
  if (found.length !== 1) throw new Error(`${found.length} places that may be those of the code points`);
  return found[0]!;
}

function bitsAt(bytes: Buffer, bit: number): number {
  let value = 0;
  for (let i = 0; i < 24; i++) value = (value << 1) | ((bytes[(bit + i) >> 3]! >> (7 - ((bit + i) & 7))) & 1);
  return value;
}
