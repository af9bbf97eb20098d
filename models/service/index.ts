export { type AccessOptions, isLoopback } from "./access.ts";
export type { FetchingOptions } from "./fetch-picture.ts";
export type { LimitsInput, LogEntry } from "./options.ts";
export { type ProblemDocument, problemSchema } from "./problem.ts";
export {
  answerSchema,
  failureSchema,
  mapSchema,
  modelsSchema,
  rankedSchema,
  rankingSchema,
  readySchema,
  scoreSchema,
} from "./schemas.ts";
export { type Arrival, openService, type Service, type ServiceOptions } from "./service.ts";
