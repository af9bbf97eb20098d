/** What is used of `@cornerstonejs/codec-openjpeg`, which comes without types. */
declare module "@cornerstonejs/codec-openjpeg/wasmjs" {
  interface Frame {
    readonly width: number;
    readonly height: number;
    readonly bitsPerSample: number;
    readonly componentCount: number;
    readonly isSigned: boolean;
    readonly isUsingColorTransform: boolean;
  }

  interface Encoder {
    getDecodedBuffer(frame: Frame): Uint8Array;
    getEncodedBuffer(): Uint8Array;
    setQuality(lossless: boolean, rate: number): void;
    setDecompositions(count: number): void;
    setCompressionRatio(layer: number, ratio: number): void;
    encode(): void;
    delete(): void;
  }

  interface Decoder {
    getEncodedBuffer(bytes: number): Uint8Array;
    getDecodedBuffer(): Uint8Array;
    decode(): void;
    delete(): void;
  }

  export interface OpenJpeg {
    readonly J2KEncoder: new () => Encoder;
    readonly J2KDecoder: new () => Decoder;
  }

  export default function create(options: {
    wasmBinary: Uint8Array;
    print(text: string): void;
    printErr(text: string): void;
  }): Promise<OpenJpeg>;
}
