import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { loadImage } from "./image.ts";
import { places } from "./places.ts";

/** This Node and a shell. */
export const NODE_IMAGE = "cactus.test/node:24";
/** What holds a Pod's network. */
const PAUSE_IMAGE = "cactus.test/pause:1";

const rootfs = new URL("../../docker/rootfs.sh", import.meta.url).pathname;
const LAY_OUT = `
set -euo pipefail
. "$0"
begin_rootfs "$1/pause"
cp /bin/busybox "$1/pause/bin"
begin_rootfs "$1/node"
cp "$2" "$1/node/bin/node"
add_libraries "$1/node" "$2"
cp /bin/busybox "$1/node/bin"
chroot "$1/node" /bin/busybox --install -s /bin
`;

/** Makes the images that every cluster has, and puts them into it. */
export async function loadOwnImages(): Promise<void> {
  const folder = await mkdtemp(join(places.cache, "rootfs-"));
  try {
    await command("bash", "-c", LAY_OUT, rootfs, folder, process.execPath);
    await loadImage(PAUSE_IMAGE, join(folder, "pause"), { Entrypoint: ["/bin/busybox", "sleep", "2147483647"] });
    await loadImage(NODE_IMAGE, join(folder, "node"), { Env: ["PATH=/bin"], Cmd: ["/bin/node"], User: "65532:65532" });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
