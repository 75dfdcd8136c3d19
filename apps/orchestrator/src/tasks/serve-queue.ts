import { admitTeststacks, countQueue, tellQueue } from "@cactus/db";
import { toAdmissionLimits } from "../admission-limits.ts";
import type { Deps } from "../deps.ts";

/** Gives places that have become free to those who wait, and tells the others how far they are. */
export async function serveQueue({ db, config }: Pick<Deps, "db" | "config">): Promise<void> {
  if ((await countQueue(db)) === 0) return;
  const limits = toAdmissionLimits(config);
  await admitTeststacks(db, limits);
  await tellQueue(db, limits);
}
