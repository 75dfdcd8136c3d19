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
  const sizes: Record<string, number> = {};
  for (const [command, names] of IMAGES) {
    const size = await makeImage(DOCKER, command, names);
    for (const name of names) sizes[name] = size;
  }
  return sizes;
}

/** Makes the PostgreSQL for tests, by this name. */
export async function loadPostgresImage(name: string): Promise<void> {
  await makeImage(DOCKER, ["assemble-test-postgres.sh"], [name]);
}

/**
 * Makes an image by one of a checkout's scripts, in its folder `infra/docker`, and puts it into the test cluster, by each
 * name. Gives its size, MiB.
 */
export async function makeImage(
  docker: string,
  [script = "", ...parameters]: string[],
  names: string[],
): Promise<number> {
  const config = parseConfig(await readFile(join(docker, "Dockerfile"), "utf8"));
  const home = await mkdtemp(join(tmpdir(), "cactus-image-"));
  try {
    const rootfs = join(home, "rootfs");
    await run(join(docker, script), [...parameters, rootfs], { maxBuffer: 2 ** 26 });
    const { stdout } = await run("du", ["-sm", "--apparent-size", rootfs]);
    for (const name of names) await loadImage(name, rootfs, config);
    return Number.parseInt(stdout, 10);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
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
