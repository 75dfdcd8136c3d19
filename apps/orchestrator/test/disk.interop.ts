import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { connect } from "@cactus/db";
import { startLocalPostgres } from "@cactus/local-postgres";
import { expect, test, vi } from "vitest";
import { startTestCluster } from "./_cluster.ts";
import { control } from "./_installation.ts";
import { expectResult, gone, insist } from "./_settled.ts";
import { openSite, type SiteOptions } from "./_site.ts";

const run = promisify(execFile);

interface SmallDisk extends AsyncDisposable {
  database: NonNullable<SiteOptions["database"]>;
  fill(): Promise<void>;
  clear(): Promise<void>;
}

/** A PostgreSQL server on a disk of its own, which can be filled. */
async function startOnSmallDisk(): Promise<SmallDisk> {
  await using stack = new AsyncDisposableStack();
  const disk = await mkdtemp(join(tmpdir(), "cactus-disk-"));
  stack.defer(() => rm(disk, { recursive: true, force: true }));
  await run("mount", ["-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", disk]);
  stack.defer(async () => void (await run("umount", [disk])));
  await mkdir(join(disk, "other"));
  const settings = { fsync: "off", min_wal_size: "32MB", max_wal_size: "48MB" };
  const server = stack.use(await startLocalPostgres({ dataDir: join(disk, "data"), password: randomUUID(), settings }));
  const db = connect({ url: server.url });
  stack.defer(() => db.destroy());
  const database = { db, url: server.url, [Symbol.asyncDispose]: async () => {} };
  const ballast = join(disk, "other", "ballast");
  const owned = stack.move();
  return {
    database,
    async fill() {
      const file = await open(ballast, "w");
      for (const size of [1024 * 1024, 4_096]) {
        const zeros = Buffer.alloc(size);
        while (
          await file.write(zeros).then(
            () => true,
            () => false,
          )
        );
      }
      await file.close();
    },
    clear: () => rm(ballast),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("a full disk is said to be one, and nothing is lost when there is room again", async () => {
  await using disk = await startOnSmallDisk();
  await using cluster = await startTestCluster();
  await using site = await openSite(cluster, { database: disk.database });
  const { user } = site;
  const { run: small } = await user.createLive("ALL-01");
  const { run: large } = await user.createLive("ALL-01");
  await control(cluster, small, { archiveMib: 1 });
  await control(cluster, large, { archiveMib: 8 });

  await disk.fill();
  await vi.waitFor(
    async () => {
      const { status, error } = await user.call("certificates.issue", { kind: "device" });
      expect([status, error?.reason, error?.message]).toEqual([
        503,
        "unavailable",
        "The database has no room left: nothing can be stored until there is some.",
      ]);
    },
    { timeout: 20_000, interval: 1 },
  );
  expect((await user.get(small.runId)).status).toBe("started");
  // Whether a wish has room yet is chance: it is repeated until it is taken.
  const wishes = [small, large].map(({ runId }) => insist(site, "runs.finalise", { runId }));
  await sleep(3_000);
  expect(await user.get(small.runId)).toMatchObject({
    status: expect.stringMatching(/^(started|finalising)$/),
    artifact: null,
  });

  await disk.clear();
  await Promise.all(wishes);
  // The runner is not asked while not even that can be noted. If it was, what is too large to be held is lost, and said so.
  expectResult(await gone(site, large.runId), "maybe cut");
  expectResult(await gone(site, small.runId), "whole");
  await user.issue();
  expect(await site.listObjects()).toEqual([]);
});
