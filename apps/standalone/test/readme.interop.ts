import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createStandalone } from "./_standalone.ts";

const README = new URL("../../../README.md", import.meta.url);

/** The commands of a chapter, as they stand there. */
async function readCommands(chapter: string): Promise<string> {
  const text = (await readFile(README, "utf8")).split(/^## /m).find((part) => part.startsWith(`${chapter}\n`)) ?? "";
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands).join("");
}

test("the README's job by hand works with curl and openssl, word for word", async () => {
  await using standalone = await createStandalone();
  await standalone.start();
  const folder = await mkdtemp(join(tmpdir(), "cactus-readme-"));
  try {
    await symlink(standalone.home, join(folder, ".cactus"));
    const script = await readCommands("The job by hand");
    const { stdout } = await promisify(execFile)("bash", ["-euc", script], { cwd: folder });
    expect(stdout).toContain('"kind":"initialised"');
    expect(stdout).toContain("</DeviceCapability>");
    expect(stdout).toContain("No required SSL certificate was sent");
    expect(stdout).toContain('"status":"started"');
    expect(stdout).toContain('"kind":"gone"');
    const [zip = ""] = (await readdir(folder)).filter((name) => name.endsWith(".zip"));
    expect((await readFile(join(folder, zip))).subarray(0, 2).toString()).toBe("PK");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
