import { describe, expect, test } from "bun:test";
import { readAssembly } from "../../../engine/inspect/assembly.ts";
import { estimatedMultiplyAdds, figuresOf, hottestLoop } from "../../../engine/inspect/loops.ts";

const instruction = (text: string, wave = 32) => readAssembly(`BB0:\n\t${text} ; 00000000`, wave)[0]!.instructions[0]!;

describe("one instruction", () => {
  // As LLVM writes them for GFX9, GFX10 and GFX11, and as the compiler prints them itself.
  const known: readonly [text: string, kind: string, multiplyAdds: number, bytes: number][] = [
    ["v_fmac_f32_e32 v8, v27, v88", "multiplyAdd", 1, 0],
    ["v_mac_f32_e32 v8, v27, v88", "multiplyAdd", 1, 0],
    ["v_fmaak_f32 v1, v2, v3, 0x3f000000", "multiplyAdd", 1, 0],
    ["v_madmk_f32 v1, v2, 0x3f000000, v3", "multiplyAdd", 1, 0],
    ["v_fma_mix_f32 v1, v2, v3, v4 op_sel_hi:[1,1,0]", "multiplyAdd", 1, 0],
    ["v_pk_fma_f16 v1, v2, v3, v4", "multiplyAdd", 2, 0],
    ["v_dot2_f32_f16 v1, v2, v3, v4", "multiplyAdd", 2, 0],
    ["v_dot4_i32_iu8 v1, v2, v3, v4", "multiplyAdd", 4, 0],
    ["v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]", "multiplyAdd", 128, 0],
    // Whole-number products find addresses.
    ["v_mad_u32_u24 v1, v2, v3, v4", "vector", 0, 0],
    ["v_mad_u64_u32 v[1:2], null, v2, v3, v[4:5]", "vector", 0, 0],
    ["v_mul_f32_e32 v1, v2, v3", "vector", 0, 0],
    ["v_cmpx_gt_u32_e32 s1, v0", "vector", 0, 0],
    ["s_mul_i32 s7, s7, s0", "scalar", 0, 0],
    ["s_and_saveexec_b64 s[0:1], vcc", "scalar", 0, 0],
    ["s_load_b128 s[8:11], s[2:3], 0x30", "scalarMemory", 0, 0],
    ["s_buffer_load_dwordx4 s[8:11], s[2:5], 0x30", "scalarMemory", 0, 0],
    ["buffer_load_b128 v[4:7], v0, s[4:7], 0 offen", "globalMemory", 0, 16],
    ["buffer_load_dwordx2 v[4:5], v0, s[4:7], 0 offen", "globalMemory", 0, 8],
    ["buffer_load_dword v4, v0, s[4:7], 0 offen", "globalMemory", 0, 4],
    ["buffer_load_format_d16_x v4, v0, s[4:7], 0 offen", "globalMemory", 0, 2],
    ["buffer_load_u16 v4, v0, s[4:7], 0 offen", "globalMemory", 0, 2],
    ["buffer_store_short v4, v0, s[4:7], 0 offen", "globalMemory", 0, 2],
    ["buffer_load_ubyte v4, v0, s[4:7], 0 offen", "globalMemory", 0, 1],
    ["global_load_b64 v[4:5], v0, s[4:5]", "globalMemory", 0, 8],
    ["ds_read_b128 v[1:4], v0", "workgroupMemory", 0, 16],
    ["ds_load_2addr_b64 v[1:4], v0 offset1:1", "workgroupMemory", 0, 16],
    ["ds_read2_b32 v[1:2], v0 offset1:1", "workgroupMemory", 0, 8],
    ["ds_read2st64_b32 v[1:2], v0 offset1:1", "workgroupMemory", 0, 8],
    ["ds_write_b16 v0, v1", "workgroupMemory", 0, 2],
    // These move values between lanes and touch no memory.
    ["ds_bpermute_b32 v1, v2, v3", "workgroupMemory", 0, 0],
    ["ds_swizzle_b32 v1, v2 offset:swizzle(SWAP,16)", "workgroupMemory", 0, 0],
    ["s_waitcnt vmcnt(0)", "wait", 0, 0],
    ["s_wait_loadcnt 0x0", "wait", 0, 0],
    ["s_delay_alu instid0(VALU_DEP_1)", "wait", 0, 0],
    ["s_barrier", "wait", 0, 0],
    ["s_cbranch_scc1 BB0", "branch", 0, 0],
    [" v1: %44:v[9] = v_fma_f32 %39:v[9], %43:v[11], %41:v[2]", "multiplyAdd", 1, 0],
    [" v4: %3:v[8-11] = buffer_load_dwordx4 %380:s[40-43], %381:v[12], 0 offen storage:buffer", "globalMemory", 0, 16],
    ["ds_write_b128 %392:v[12], %391:v[88-91] storage:shared", "workgroupMemory", 0, 16],
    [" s1: %6:s[8],  s1: %1272:scc = s_lshl_b32 (is16bit)%3:s[8], 6", "scalar", 0, 0],
  ];
  for (const [text, kind, multiplyAdds, bytes] of known) {
    test(text.trim(), () => expect(instruction(text)).toMatchObject({ kind, multiplyAdds, bytes }));
  }

  test("a pair issued at once has both kinds, in both prints", () => {
    const pairs = [
      "v_dual_fmac_f32 v13, v5, v9 :: v_dual_mov_b32 v12, 0",
      " v1: %1:v[13] = v_dual_fmac_f32 %2:v[5], %3:v[9], %1:v[13] :: v1: %4:v[12] = v_dual_mov_b32 0",
    ];
    for (const text of pairs)
      expect(instruction(text)).toMatchObject({ kind: "multiplyAdd", second: "vector", multiplyAdds: 1 });
    const { counts, multiplyAddShare } = figuresOf([instruction(pairs[0]!)]);
    expect(counts).toMatchObject({ all: 1, multiplyAdd: 1, vector: 0, dualIssue: 1 });
    expect(multiplyAddShare).toBe(0.5);
  });

  test("a load that LLVM does not decode is one, whose two words stand on two lines", () => {
    const text = "BB0:\n(invalid instruction) ; f4281a14\n(invalid instruction) ; d2000000\n\ts_endpgm ; bf810000";
    expect(readAssembly(text, 64)[0]!.instructions.map(({ kind, line }) => [kind, line])).toEqual([
      ["scalarMemory", 1],
      ["wait", 3],
    ]);
  });

  test("a matrix product is shared by the lanes of its wave", () => {
    expect(instruction("v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]", 64).multiplyAdds).toBe(64);
  });
});

// Two loops in one: the outer loads 16 bytes a turn, the inner makes 3 products of 8 bytes of workgroup memory; a jump out of it.
const nested = `BB0:
\ts_mov_b32 s0, 0
BB1:
\tbuffer_load_b128 v[0:3], v4, s[0:3], 0 offen
\ts_waitcnt vmcnt(0)
BB2:
\ts_cbranch_scc1 BB4
\tds_read_b64 v[0:1], v4
\tv_fmac_f32 v0, v1, v2
\tv_fmac_f32 v0, v1, v2
\tv_fmac_f32 v0, v1, v2
\tv_add_nc_u32 v4, 1, v4
\ts_branch BB2
BB4:
\ts_cbranch_scc0 BB1
\tbuffer_store_b32 v0, v4, s[0:3], 0 offen
\ts_endpgm`;

describe("loops", () => {
  test("the inner one is the hottest; its figures are its own, without what leaves it", () => {
    const loop = hottestLoop(readAssembly(nested, 64))!;
    expect(loop).toMatchObject({ label: "BB2", depth: 1, multiplyAdds: 3, multiplyAddShare: 0.75 });
    expect(loop.globalBytesPerMultiplyAdd).toBe(0);
    expect(loop.workgroupBytesPerMultiplyAdd).toBeCloseTo(8 / 3);
    expect(loop.lines.map((line) => nested.split("\n")[line]!.trim().split(" ")[0])).toEqual([
      ...["s_cbranch_scc1", "ds_read_b64", "v_fmac_f32", "v_fmac_f32", "v_fmac_f32", "v_add_nc_u32", "s_branch"],
    ]);
  });

  test("an outer loop with much more of its own is hotter than a short inner one", () => {
    const long = nested.replace("\ts_waitcnt vmcnt(0)", "\tv_fmac_f32 v5, v6, v7\n".repeat(200).trimEnd());
    const loop = hottestLoop(readAssembly(long, 64))!;
    expect(loop).toMatchObject({ label: "BB1", depth: 0, multiplyAdds: 200 });
    // The inner loop's loads are not among its bytes: 16 of 200 products.
    expect(loop.globalBytesPerMultiplyAdd).toBeCloseTo(16 / 200);
    expect(loop.workgroupBytesPerMultiplyAdd).toBe(0);
  });

  test("a jump in the middle of labelled lines ends a block; code behind the last label of a loop is outside", () => {
    const blocks = readAssembly(nested, 64);
    expect(blocks.map(({ label }) => label)).toEqual(["BB0", "BB1", "BB2", undefined, "BB4", undefined]);
    expect(blocks.map(({ next }) => next)).toEqual([[1], [2], [3, 4], [2], [5, 1], []]);
  });

  test("the compiler's guess of turns: 8 for the outermost loop, 4 for one within, 2 further in", () => {
    expect(estimatedMultiplyAdds(readAssembly(nested, 64))).toBe(8 * 4 * 3);
  });

  test("without a jump back there is none", () => {
    expect(hottestLoop(readAssembly("BB0:\n\tv_mov_b32 v0, 0\n\ts_endpgm", 64))).toBeUndefined();
  });
});
