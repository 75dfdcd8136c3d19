import { existsSync } from "node:fs";
import { command } from "./command.ts";

/** Programs of the node, and the Debian packages that bring them. */
const PROGRAMS = {
  "/bin/busybox": "busybox-static",
  "/bin/ip": "iproute2",
  "/usr/bin/containerd": "containerd",
  "/usr/bin/openssl": "openssl",
  "/usr/bin/tcpdump": "tcpdump",
  "/usr/lib/cni/ptp": "containernetworking-plugins",
  "/usr/lib/nginx/modules/ngx_stream_module.so": "libnginx-mod-stream",
  "/usr/sbin/nft": "nftables",
  "/usr/sbin/nginx": "nginx-light",
  "/usr/sbin/runc": "runc",
};

/** Installs what the node needs of the machine's distribution, where something is missing. */
export async function ensurePackages(): Promise<void> {
  const missing = Object.entries(PROGRAMS).flatMap(([program, name]) => (existsSync(program) ? [] : [name]));
  if (missing.length === 0) return;
  await command("apt-get", "update", "-qq");
  const quietly = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"];
  await command("env", ...quietly, ...missing);
}
