import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startLocalPostgres } from "./index.ts";

let dataDir: string;
beforeAll(async () => {
  dataDir = join(await mkdtemp(join(tmpdir(), "cactus-pg-")), "data");
  await chmod(join(dataDir, ".."), 0o755);
});
afterAll(() => rm(join(dataDir, ".."), { recursive: true, force: true }));

test("starts, takes over from a server left behind in its folder, and says why it cannot start", async () => {
  const first = await startLocalPostgres({ dataDir, password: "p" });
  await using second = await startLocalPostgres({ dataDir, password: "p" });
  expect(second.pid).not.toBe(first.pid);
  expect(() => process.kill(first.pid, 0)).toThrow("ESRCH");
  const port = Number(new URL(second.url).port);
  await expect(startLocalPostgres({ dataDir: join(dataDir, "../other"), port, password: "p" })).rejects.toThrow(
    /did not start in .*other on port \d+: .*Address already in use/s,
  );
});
