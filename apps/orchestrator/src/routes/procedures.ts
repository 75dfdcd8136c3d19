import type { TRPCRouterRecord } from "@trpc/server";
import { z } from "zod";
import { userProcedure } from "./trpc.ts";

const procedureOutput = z.object({
  procedureId: z.string(),
  description: z.string(),
  category: z.string(),
  classes: z.array(z.string()),
  /** CSIP-Aus versions. */
  targetVersions: z.array(z.string()),
  /** Initialising it starts it. */
  immediateStart: z.boolean(),
});

export const proceduresRoutes = {
  list: userProcedure.output(z.array(procedureOutput)).query(async ({ ctx }) => {
    const procedures = await ctx.procedures.list();
    return procedures.map(({ id, ...procedure }) => ({ procedureId: id, ...procedure }));
  }),
} satisfies TRPCRouterRecord;
