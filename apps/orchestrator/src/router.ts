import { certificatesRoutes } from "./routes/certificates.ts";
import { proceduresRoutes } from "./routes/procedures.ts";
import { runsRoutes } from "./routes/runs.ts";
import { router } from "./routes/trpc.ts";

export const routes = {
  certificates: certificatesRoutes,
  procedures: proceduresRoutes,
  runs: runsRoutes,
};

export const appRouter = router(routes);
