import { flatGrid, flatWorkgroup } from "../kernel/grid.ts";
import { ShapeError, type Tensor } from "../tensor.ts";
import { expectOperands, indices as indexType, single } from "./operands.ts";

const types = { table: single, x: single, indices: indexType, mask: single };

/**
 * Writes rows into a table in place: table[indices[i], :] = x[i, :] for the i with mask[i] > 0; of several with one index the last.
 * table: [V, D], x: [n, D], indices: u32 [n], mask: [n]. An index of V or above writes nothing. Not recorded on the tape; part of a plan.
 * @throws ShapeError when shapes or types do not go together, or the table does not fit one binding of the adapter
 */
export function writeRows(table: Tensor, x: Tensor, indices: Tensor, mask: Tensor): void {
  expectOperands("writeRows", { table, x, indices, mask }, types);
  const { device } = table;
  const [tableRows = 0, columns = 0] = table.shape;
  const rows = indices.size;
  if (table.rank !== 2 || x.rank !== 2 || x.shape[0] !== rows || x.shape[1] !== columns || mask.size !== rows) {
    throw new ShapeError(
      `writeRows takes a table [V, D], rows [n, D], n indices and a mask [n]; found [${table.shape}], [${x.shape}], [${indices.shape}] and [${mask.shape}]`,
    );
  }
  device.kernels.run(
    "gather/write_rows",
    { WORKGROUP: flatWorkgroup },
    { x: x.window(), indices: indices.window(), mask: mask.window(), table: table.window() },
    { rows, columns, table_rows: tableRows },
    flatGrid(device, rows * columns),
    { bytes: 8 * rows + 8 * rows * columns },
  );
}
