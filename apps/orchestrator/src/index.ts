export { type Config, parseConfig } from "./config.ts";
export { type Orchestrator, startOrchestrator } from "./orchestrator.ts";
