import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { get } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createPkiFolder, type PkiFolder } from "./_pki-folder.ts";

/** Servers that verify clients with the SERCA alone, which is what the Secret beside the Ingress holds. */

let folder: PkiFolder;

beforeAll(async () => {
  folder = await createPkiFolder(new Date());
});

afterAll(() => folder[Symbol.asyncDispose]());

describe("openssl s_server", () => {
  const CCM8 = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"];
  const ALONE = ["-cert", "device.pem", "-key", "device.key"];
  const WITH_ISSUERS = [...ALONE, "-cert_chain", "issuers.pem"];

  /** Lets openssl s_client connect once, and gives all that the server printed. */
  async function connectOnce(depth: string, tls: string[], client: string[]): Promise<string> {
    const pair = ["-cert", "server.pem", "-cert_chain", "issuers.pem", "-key", "server.key", "-CAfile", "serca.pem"];
    const demand = ["-Verify", depth, "-verify_depth", depth, "-verify_return_error", "-naccept", "1"];
    const server = folder.start("openssl", "s_server", "-accept", "127.0.0.1:0", ...pair, ...demand, ...tls);
    const printed: Buffer[] = [];
    for (const output of [server.stdout, server.stderr]) output.on("data", (chunk) => printed.push(chunk));
    const text = () => Buffer.concat(printed).toString();
    const ended = once(server, "close");
    try {
      const address = await vi.waitFor(
        () => /ACCEPT (127\.0\.0\.1:\d+)/.exec(text())?.[1] ?? Promise.reject(text()),
        20_000,
      );
      await connect("-connect", address, "-CAfile", "serca.pem", "-brief", ...tls, ...client);
      await ended;
      return text();
    } finally {
      server.kill();
    }
  }

  /** Ends as soon as the handshake is over, one way or the other: the server tells which. */
  async function connect(...args: string[]): Promise<void> {
    const client = folder.start("openssl", "s_client", ...args);
    client.stdin.end();
    for (const output of [client.stdout, client.stderr]) output.resume();
    await once(client, "close");
  }

  test.each([
    ["TLS 1.3", ["-tls1_3"], "TLS_AES_256_GCM_SHA384"],
    ["the suite of IEEE 2030.5", CCM8, "ECDHE-ECDSA-AES128-CCM8"],
  ])("takes a device that sends its issuers, at depth 2: %s", async (_what, tls, cipher) => {
    expect(await connectOnce("2", tls, WITH_ISSUERS)).toContain(`CIPHER is ${cipher}`);
  });

  test.each([
    ["a device, at depth 1", "1", WITH_ISSUERS, "certificate chain too long"],
    ["a device that sends itself alone", "3", ALONE, "unable to get local issuer"],
    ["nobody", "3", [], "peer did not return a certificate"],
  ])("refuses %s", async (_what, depth, client, words) => {
    const text = await connectOnce(depth, CCM8, client);
    expect(text).toContain(words);
    expect(text).not.toContain("CIPHER is");
  });
});

test("nginx takes a device that sends its issuers, at depth 2 and not at 1, and not without them", async () => {
  const { path, device } = folder;
  const [deep, shallow] = [await findFreePort(), await findFreePort()];
  await writeFile(
    join(path, "nginx.conf"),
    nginxConfiguration([
      [deep, 2],
      [shallow, 1],
    ]),
  );
  const nginx = folder.start("nginx", "-p", path, "-c", "nginx.conf");
  for (const output of [nginx.stdout, nginx.stderr]) output.resume();
  await once(nginx, "spawn");
  try {
    await vi.waitFor(() => visit(deep, device.chainPem), 20_000);
    expect(await visit(deep, device.chainPem)).toEqual([200, `SUCCESS ${device.serialNumber.toUpperCase()}`]);
    const refused = [400, expect.stringContaining("The SSL certificate error")];
    expect(await visit(shallow, device.chainPem)).toEqual(refused);
    expect(await visit(deep, device.certificatePem)).toEqual(refused);
  } finally {
    nginx.kill();
    await once(nginx, "close");
  }
});

function nginxConfiguration(sites: [port: number, depth: number][]): string {
  const servers = sites.map(
    ([port, depth]) => `server {
      listen 127.0.0.1:${port} ssl;
      ssl_certificate server.pem; ssl_certificate_key server.key;
      ssl_client_certificate serca.pem; ssl_verify_client on; ssl_verify_depth ${depth};
      location / { return 200 "$ssl_client_verify $ssl_client_serial"; }
    }`,
  );
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((use) => `${use}_temp_path ${use};`);
  const http = ["access_log off;", ...temporary, ...servers].join("\n");
  return `daemon off; pid nginx.pid; error_log stderr; events {} http { ${http} }`;
}

async function visit(port: number, cert: string): Promise<[status: number | undefined, body: string]> {
  const key = folder.device.privateKeyPem ?? "";
  const request = get({ host: "127.0.0.1", port, agent: false, ca: folder.pki.hierarchy.sercaPem, cert, key });
  const [response] = await once(request, "response");
  return [response.statusCode, (await response.setEncoding("utf8").toArray()).join("")];
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
