import { parseArgs } from "node:util";
import { ensureBinary } from "./binary.ts";
import { startTestCluster, stopTestCluster } from "./cluster.ts";
import { loadArchive, loadImage } from "./image.ts";
import { ensureIngressNginx } from "./ingress-nginx.ts";
import { ensurePackages } from "./packages.ts";

const USAGE = `usage: main.ts <command>
  build                                install and build what is missing
  up                                   start the cluster; it stays until it is taken down
  down                                 end it, with all that it was
  load-image <archive>                 put images, as written by docker save, into it
  load-image <name> <folder> <config>  put a root file system into it, with a Docker image's config as JSON`;

const { positionals } = parseArgs({ allowPositionals: true });
const [command = "", first = "", folder, config = "{}"] = positionals;

const commands: Record<string, () => Promise<unknown>> = {
  build: async () => {
    await ensurePackages();
    return [await ensureBinary(), await ensureIngressNginx()];
  },
  up: () => startTestCluster({ isKept: true }),
  down: stopTestCluster,
  "load-image": () => (folder === undefined ? loadArchive(first) : loadImage(first, folder, JSON.parse(config))),
};

const perform = commands[command];
if (perform === undefined) throw new Error(USAGE);
const result = await perform();
if (result !== undefined) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
