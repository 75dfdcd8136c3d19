import { routes } from "./routes/index.ts";
import { router } from "./routes/trpc.ts";

export const appRouter = router(routes);
