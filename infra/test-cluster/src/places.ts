import { homedir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "./config.ts";

const cache = join(cacheFolder ?? join(homedir(), ".cache"), "cactus-test-cluster");
const state = join(cache, "run");

/** Folders and files of the machine's one test cluster, all outside of the checkout. */
export const places = {
  cache,
  /** What there is only while the cluster runs. */
  state,
  /** The node's /var and /run; it has the rest of its file system from the machine. */
  var: join(state, "var"),
  run: join(state, "run"),
  /** The parts' settings and credentials, /var/lib/kubernetes to themselves. */
  settings: join(state, "var/lib/kubernetes"),
  logs: join(state, "var/log"),
  auditLog: join(state, "var/log/audit.log"),
  /** Of the administrator. */
  kubeconfig: join(state, "kubeconfig"),
  /** Process id of the node's outermost process. */
  pid: join(state, "pid"),
  containerd: join(state, "run/containerd/containerd.sock"),
};
