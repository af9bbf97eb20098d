import { z } from "zod";
import { referenceNames } from "./reference.ts";

const name = z.string().regex(/^[A-Za-z_]\w*$/, "expected a name: letters, digits and _");
const expression = z.union([z.number(), z.string().min(1)]);
const constant = z.union([z.number(), z.boolean(), z.string().min(1)]);
/** Expressions separated by commas, or a list of them. */
const expressions = z.union([z.string().min(1), z.number(), z.array(expression).min(1)]);

const bufferSchema = z.union([
  expressions,
  z.strictObject({
    shape: expressions,
    type: z.enum(["f32", "f16", "u32", "i32"]).optional(),
    fill: expression.optional(),
  }),
]);

/** How to run a kernel: what an engineer writes on the command line or in a JSON or TOML file. */
export const descriptionSchema = z.strictObject({
  /** Path of the WGSL file, from the folder of the description. */
  kernel: z.string().min(1).optional(),
  entry: name.optional(),
  /** For the template step, override constants of the same name, and all expressions; may name each other. */
  constants: z.record(name, constant).optional(),
  /** Shape of every storage buffer, in numbers (a vec4 is four), by its name in the kernel. */
  buffers: z.record(name, bufferSchema),
  /** Fields of the uniform; a field without one takes the constant of its name. */
  params: z.record(name, expressions).optional(),
  /** Workgroups in x, y, z. */
  grid: expressions,
  reference: z
    .strictObject({
      operation: z.enum(referenceNames as [string, ...string[]]),
      /** Operand of the operation → buffer of the kernel. */
      map: z.record(name, name).optional(),
      options: z.record(name, constant).optional(),
      /** Bound on the error relative to the largest element; 1e-4 unless given, for f16 4e-3. */
      tolerance: z.number().min(0).optional(),
    })
    .optional(),
  /** Floating-point operations of one dispatch, a multiply-add counted as two. */
  flops: expression.optional(),
  /** Bytes that one dispatch must move; every buffer once unless given. */
  bytes: expression.optional(),
  sweep: z.record(name, z.array(constant).min(1)).optional(),
  seed: z.number().int().min(0).optional(),
});
export type Description = z.infer<typeof descriptionSchema>;
export type ConstantValue = z.infer<typeof constant>;

/** Expressions as one text. */
export function listText(list: z.infer<typeof expressions>): string {
  return Array.isArray(list) ? list.join(", ") : String(list);
}
