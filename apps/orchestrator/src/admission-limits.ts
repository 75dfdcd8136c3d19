import type { AdmissionLimits } from "@cactus/db";
import type { Config } from "./config.ts";

/** How many instances may live, and how many runs may wait for one. */
export function toAdmissionLimits(config: Config): AdmissionLimits {
  return {
    live: config.INSTANCES_MAX,
    livePerUser: config.INSTANCES_MAX_PER_USER,
    queued: config.QUEUE_MAX,
    queuedPerUser: config.QUEUE_MAX_PER_USER,
  };
}
