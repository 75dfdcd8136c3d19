import type { ErrorReason } from "@cactus/core";
import type {
  TRPCBuiltRouter,
  TRPCDecorateCreateRouterOptions,
  TRPCDefaultErrorData,
  TRPCDefaultErrorShape,
} from "@trpc/server";
import type { routes } from "./routes/index.ts";

/** What every error that a caller gets carries beside tRPC's own fields. */
export interface ErrorData extends TRPCDefaultErrorData {
  reason: ErrorReason | "internal";
  /** The log has what happened under this id. */
  requestId?: string;
}

export interface ErrorShape extends TRPCDefaultErrorShape {
  data: ErrorData;
}

/** The API as clients see it: inputs, outputs and errors of every procedure, and nothing of the server. */
export type OrchestratorApi = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: ErrorShape; transformer: false },
  TRPCDecorateCreateRouterOptions<typeof routes>
>;
