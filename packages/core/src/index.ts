export { type ErrorReason, OrchestratorError } from "./errors.ts";
