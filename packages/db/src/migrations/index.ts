import type { Migration } from "kysely/migration";
import { initial } from "./0001-initial.ts";
import { teststackWorkload } from "./0002-teststack-workload.ts";
import { runExtension } from "./0004-run-extension.ts";
import { teststackEncryption } from "./0005-teststack-encryption.ts";
import { admission } from "./0006-admission.ts";

/** All migrations by name, in the order of their names. Frozen in time: change the schema by adding one. */
export const migrations: Record<string, Migration> = {
  "0001-initial": initial,
  "0002-teststack-workload": teststackWorkload,
  "0004-run-extension": runExtension,
  "0005-teststack-encryption": teststackEncryption,
  "0006-admission": admission,
};
