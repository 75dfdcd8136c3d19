import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadImage } from "@cactus/test-cluster";

const run = promisify(execFile);
const DOCKER = fileURLToPath(new URL("../../../infra/docker", import.meta.url));

/** The scripts that lay out contents, with the images of the overlay `test` that are made of each. */
const IMAGES: [script: string[], names: string[]][] = [
  [
    ["assemble.sh", "@cactus/orchestrator"],
    ["cactus.local/orchestrator:test", "cactus.local/orchestrator:next"],
  ],
  [["assemble.sh", "@cactus/teststack-simulator"], ["cactus.local/teststack-simulator:test"]],
  [["assemble-test-postgres.sh"], ["cactus.local/postgres:test"]],
];

/** Makes the images of the overlay `test` from this checkout and puts them into the test cluster. Gives their sizes, MiB. */
export async function loadDeploymentImages(): Promise<Record<string, number>> {
  const config = parseConfig(await readFile(join(DOCKER, "Dockerfile"), "utf8"));
  const home = await mkdtemp(join(tmpdir(), "cactus-images-"));
  const sizes: Record<string, number> = {};
  try {
    for (const [[script = "", ...parameters], names] of IMAGES) {
      const rootfs = join(home, names[0]?.replaceAll("/", "-") ?? "");
      await run(join(DOCKER, script), [...parameters, rootfs]);
      const { stdout } = await run("du", ["-sm", "--apparent-size", rootfs]);
      for (const name of names) {
        await loadImage(name, rootfs, config);
        sizes[name] = Number.parseInt(stdout, 10);
      }
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return sizes;
}

/** The configuration of the Dockerfile's last stage. */
function parseConfig(dockerfile: string) {
  const lines = dockerfile.slice(dockerfile.indexOf("FROM scratch")).split("\n");
  const find = (instruction: string): string =>
    lines.find((line) => line.startsWith(`${instruction} `))?.slice(instruction.length + 1) ?? "";
  return {
    Env: [find("ENV")],
    WorkingDir: find("WORKDIR"),
    User: find("USER"),
    Entrypoint: JSON.parse(find("ENTRYPOINT")) as string[],
  };
}
