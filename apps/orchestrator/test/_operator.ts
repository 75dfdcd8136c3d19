import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

const run = promisify(execFile);
const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const DOCKER = fileURLToPath(new URL("_docker.ts", import.meta.url));
/** Longest that commands may take: a wait in them has no end of its own. */
const LIMIT_MS = 10 * 60_000;
/** This machine, to Pods of the test cluster. */
const MACHINE = "10.245.0.2";

/** An operator's terminal: a clean clone of this repository, `kubectl`, `docker`, and names that resolve. */
export interface OperatorsTerminal extends AsyncDisposable {
  folder: string;
  /** Runs commands in one shell, ended by the first that fails. Gives all that they have said. */
  run(commands: string): Promise<string>;
}

export interface TerminalOptions {
  kubeconfig: string;
  /** The program. */
  kubectl: string;
  /** Host names and their address, beside those that the machine knows. */
  hosts: string[];
  address: string;
}

export async function openTerminal({
  kubeconfig,
  kubectl,
  hosts,
  address,
}: TerminalOptions): Promise<OperatorsTerminal> {
  await using stack = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "cactus-operator-"));
  stack.defer(() => rm(home, { recursive: true, force: true }));
  const [folder, bin, names] = ["cactus", "bin", "hosts"].map((name) => join(home, name)) as [string, string, string];
  await run("git", ["clone", "--quiet", REPOSITORY, folder]);
  await mkdir(bin);
  await writeFile(
    join(bin, "docker"),
    `#!/bin/sh\nexec ${process.execPath} --conditions=@cactus/source ${DOCKER} "$@"\n`,
  );
  await chmod(join(bin, "docker"), 0o755);
  await writeFile(names, `${await readFile("/etc/hosts", "utf8")}\n${address} ${hosts.join(" ")}\n`);
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"));
  const environment = {
    HOME: process.env["HOME"],
    PATH: [bin, dirname(kubectl), ...path].join(delimiter),
    KUBECONFIG: kubeconfig,
  };
  const owned = stack.move();
  return {
    folder,
    run: (commands) => runInNamespace(commands, { folder, names, environment }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The shell has a file of host names of its own: the machine's stays as it is. With it goes all that it has started. */
async function runInNamespace(
  commands: string,
  { folder, names, environment }: { folder: string; names: string; environment: NodeJS.ProcessEnv },
): Promise<string> {
  const shell = `mount --bind "$0" /etc/hosts && exec bash -euxo pipefail -c "$1"`;
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const child = spawn("unshare", [...namespaces, "bash", "-c", shell, names, commands], {
    cwd: folder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = await once(child, "close");
  clearTimeout(limit);
  if (code !== 0) throw new Error(`the commands ended with ${code}:\n${output.slice(-8_000)}`);
  return output;
}

/** An issuer of tokens, whose keys Pods can fetch. */
export interface Issuer extends AsyncDisposable {
  jwksUrl: string;
  /** Signs a user's token. */
  sign(options: { issuer: string; audience: string }): Promise<string>;
}

export async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "1", alg: "ES256" }] });
  const server = createServer((_, response) => response.setHeader("content-type", "application/json").end(keys));
  server.listen(0, MACHINE);
  await once(server, "listening");
  return {
    jwksUrl: `http://${MACHINE}:${(server.address() as AddressInfo).port}/jwks.json`,
    sign: ({ issuer, audience }) =>
      new SignJWT({ permissions: ["user:all"] })
        .setProtectedHeader({ alg: "ES256", kid: "1" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject("operator")
        .setExpirationTime("1h")
        .sign(privateKey),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
