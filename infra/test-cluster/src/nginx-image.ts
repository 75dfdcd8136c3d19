import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { loadImage } from "./image.ts";
import { ensurePackages } from "./packages.ts";
import { places } from "./places.ts";

const IMAGE = "cactus.test/nginx:debian";

const rootfs = new URL("../../docker/rootfs.sh", import.meta.url).pathname;
/** Modules are named from Debian's folder of nginx's own files. */
const LAY_OUT = `
set -euo pipefail
. "$0"
begin_rootfs "$1/root"
cd "$1/root"
module=/usr/lib/nginx/modules/ngx_stream_module.so
mkdir -p usr/sbin usr/share/nginx/modules etc/nginx/modules-enabled
cp /usr/sbin/nginx usr/sbin
cp "$module" usr/share/nginx/modules
add_libraries . /usr/sbin/nginx
add_libraries . "$module"
echo 'load_module modules/ngx_stream_module.so;' > etc/nginx/modules-enabled/50-mod-stream.conf
`;

/** Puts this machine's nginx, with streams, into the cluster. Gives the image's name. */
export async function loadNginxImage(): Promise<string> {
  await ensurePackages();
  const folder = await mkdtemp(join(places.cache, "rootfs-"));
  try {
    await command("bash", "-c", LAY_OUT, rootfs, folder);
    await loadImage(IMAGE, join(folder, "root"), { Env: ["PATH=/usr/sbin"], User: "65532:65532" });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return IMAGE;
}
