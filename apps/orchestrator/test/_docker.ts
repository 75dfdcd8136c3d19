import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeImage } from "./_images.ts";

/**
 * `docker`, as far as an operator's commands need it, for a machine that has none and a cluster without a registry: `build`
 * does what the Dockerfile's build stage does, by the same script, and puts the image where `push` and a node's pull would.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    file: { type: "string", short: "f" },
    tag: { type: "string", short: "t" },
    "build-arg": { type: "string", default: "PACKAGE=@cactus/orchestrator" },
  },
});
const [command, subject = ""] = positionals;
const { file, tag, "build-arg": argument } = values;
if (command === "build" && file === "infra/docker/Dockerfile" && tag !== undefined && subject === ".") {
  await makeImage(join(process.cwd(), "infra/docker"), ["assemble.sh", argument.replace(/^PACKAGE=/, "")], [tag]);
} else if (command !== "push") {
  throw new Error(`docker ${process.argv.slice(2).join(" ")}: not known here`);
}
