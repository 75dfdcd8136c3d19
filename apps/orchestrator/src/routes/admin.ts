import { OrchestratorError } from "@cactus/core";
import type { TRPCRouterRecord } from "@trpc/server";
import { z } from "zod";
import { findOrphans } from "../orphans.ts";
import { adminProcedure } from "./trpc.ts";

const time = z.iso.datetime();

const orphansOutput = z.object({
  /** `delete`: they are deleted within seconds. `report`: they stay (`ORPHAN_COLLECTION`). */
  collection: z.enum(["delete", "report"]),
  orphans: z.array(
    z.object({
      kind: z.string(),
      name: z.string(),
      uid: z.string(),
      why: z.string(),
      since: time,
      createdAt: time,
    }),
  ),
});

export const adminRoutes = {
  orphans: adminProcedure.output(orphansOutput).query(async ({ ctx }) => {
    const { watch, config } = ctx;
    if (!watch?.synced) throw new OrchestratorError("unavailable", "The cluster has not answered yet.");
    const orphans = await findOrphans({ ...ctx, watch });
    return {
      collection: config.ORPHAN_COLLECTION,
      orphans: orphans.map(({ kind, name, uid, why, since, createdAt }) => ({
        ...{ kind, name, uid, why },
        since: since.toISOString(),
        createdAt: createdAt.toISOString(),
      })),
    };
  }),
} satisfies TRPCRouterRecord;
