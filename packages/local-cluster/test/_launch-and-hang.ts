import { openSync } from "node:fs";
import { join } from "node:path";
import { ProcessRegistry } from "../src/node-agent/process-registry.ts";

/** Stands in for an agent that is killed: launches one process, says so, and waits for its end. */
const [folder = "", script = ""] = process.argv.slice(2);
const registry = new ProcessRegistry(join(folder, "processes"));
const { pid } = registry.launch(
  {
    argv: ["/bin/sh", "-c", script],
    cwd: folder,
    env: { PATH: "/usr/bin:/bin" },
    output: openSync(join(folder, "log"), "a"),
  },
  { podUid: "u", container: "c", containerID: "i", role: "container", startedAt: "t", restartCount: 0 },
);
process.send?.(pid);
setInterval(() => undefined, 1000);
