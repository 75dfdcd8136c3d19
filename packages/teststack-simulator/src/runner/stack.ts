import type { Faults } from "../faults.ts";
import type { UtilityServer } from "../utility-server/utility-server.ts";
import type { Journal } from "./journal.ts";
import type { RequestFiles } from "./request-files.ts";

/** What outlives the runner's worker process in a teststack: the other containers, the disk, the clock. */
export interface Stack {
  readonly utilityServer: UtilityServer;
  readonly files: RequestFiles;
  readonly logs: { readonly envoy: Journal; readonly admin: Journal; readonly runner: Journal };
  readonly faults: Readonly<Faults>;
  readonly now: () => Date;
}
