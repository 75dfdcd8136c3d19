export { createRunnerClient, type FinaliseAnswer, type RunnerClient, type RunnerLimits } from "./client.ts";
export { hasTest, judgeCriteria, lastClientInteraction } from "./judge.ts";
export { type RequestPair, type RunnerStatus, type RunRequest, runnerStatusSchema } from "./messages.ts";
export { type Procedure, parseProcedure } from "./procedure.ts";
export { RunnerError, type RunnerErrorKind } from "./runner-error.ts";
export {
  type RunnerAccess,
  type RunnerAddress,
  type RunnerCredentials,
  type RunnerTransport,
  viaEncryptedService,
  viaService,
  viaServiceProxy,
} from "./transport.ts";
