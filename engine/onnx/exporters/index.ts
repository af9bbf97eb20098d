import { arrayExporters } from "./arrays.ts";
import { elementwiseExporters } from "./elementwise.ts";
import type { Exporters } from "./exporter.ts";
import { mapExporters } from "./maps.ts";

/** Operations of the engine that can be written as nodes of ONNX, by the names under which they are on the tape. */
export const exporters: Exporters = { ...arrayExporters, ...elementwiseExporters, ...mapExporters };
