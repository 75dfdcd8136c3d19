import { adminRoutes } from "./admin.ts";
import { certificatesRoutes } from "./certificates.ts";
import { proceduresRoutes } from "./procedures.ts";
import { runsRoutes } from "./runs.ts";

/** Every procedure, by noun and verb. */
export const routes = {
  admin: adminRoutes,
  certificates: certificatesRoutes,
  procedures: proceduresRoutes,
  runs: runsRoutes,
};
