import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createRootAuthority } from "./_certificates.ts";
import { type EdgeFixture, HOST, REWRITTEN, startEdgeFixture, VERIFIED } from "./_edge.ts";
import { CONTROL_CHARACTERS, SPELLINGS } from "./_edge-spellings.ts";
import { exchange } from "./_exchange.ts";

const run = promisify(execFile);

let folder: string;
let fixture: EdgeFixture;
let nginx: { port: number; process: ChildProcess };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cactus-edge-"));
  fixture = await startEdgeFixture();
  await fixture.serve("run-1", ["/run-1/(.*)"], { annotations: { ...VERIFIED, ...REWRITTEN } });
  await fixture.serve("z-other", ["/only"], { host: "other.example" });
  await fixture.untilServed("/run-1/");
  nginx = await startNginx();
  return async () => {
    nginx.process.kill();
    await once(nginx.process, "exit");
    await fixture[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
});

async function startNginx(): Promise<{ port: number; process: ChildProcess }> {
  const { server, mica, mca, root, device } = fixture.pki;
  const port = await findFreePort();
  for (const [name, text] of Object.entries({
    "server.crt": server.certificatePem + mica.certificatePem + mca.certificatePem,
    "server.key": server.keyPem,
    "ca.crt": root.certificatePem,
    "device.crt": device.cert,
    "leaf.crt": device.leaf,
    "device.key": device.key,
    "nginx.conf": nginxConfiguration(port),
  })) {
    await writeFile(join(folder, name), text);
  }
  const running = run("nginx", ["-p", folder, "-c", "nginx.conf", "-e", "error.log"]);
  running.catch(() => undefined);
  const isUp = vi.waitFor(() => exchange("GET / HTTP/1.0\r\n\r\n", { port, servername: HOST }), { timeout: 20_000 });
  // One that is missing or does not like its configuration says so by its end.
  await Promise.race([isUp, running]);
  return { port, process: running.child };
}

/** What ingress-nginx writes for the very Ingress that the edge serves here. */
function nginxConfiguration(port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `
    daemon off;
    worker_processes 1;
    pid nginx.pid;
    events {}
    http {
      access_log off;
      ${temporary.join("\n")}
      ssl_protocols TLSv1.2 TLSv1.3;
      ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0;
      server {
        listen 127.0.0.1:${port} ssl;
        server_name ${HOST};
        ssl_certificate server.crt;
        ssl_certificate_key server.key;
        ssl_session_tickets off;
        ssl_client_certificate ca.crt;
        ssl_verify_client on;
        ssl_verify_depth 2;
        client_max_body_size 1m;
        location ~* "^/run-1/(.*)" {
          rewrite "(?i)/run-1/(.*)" /envoy/$1 break;
          proxy_pass http://127.0.0.1:${fixture.backend.port};
          proxy_http_version 1.1;
          proxy_set_header Host $http_host;
          proxy_set_header ssl-client-cert $ssl_client_escaped_cert;
          proxy_set_header ssl-client-verify $ssl_client_verify;
          proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;
          proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
          proxy_set_header X-Forwarded-For $remote_addr;
        }
        location ~* "^/" { return 404; }
      }
      server { listen 127.0.0.1:${port} ssl default_server; ssl_certificate server.crt; ssl_certificate_key server.key; return 404; }
      server { listen 127.0.0.1:${port} ssl; server_name other.example; ssl_certificate server.crt; ssl_certificate_key server.key; return 404; }
    }`;
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** The answer's status and what the upstream saw of it, from one of the two servers. */
async function observe(port: number, request: string | Buffer, tls: ConnectionOptions = {}): Promise<object> {
  fixture.backend.seen.length = 0;
  const { cert, key } = fixture.pki.device;
  const { status, body } = await exchange(request, { port, servername: HOST, cert, key, ...tls });
  const [seen] = fixture.backend.seen;
  const isOurs = (name: string): boolean => /^ssl|^host$|^x-forwarded-for$|^content-length$|_/.test(name);
  const headers = Object.fromEntries(Object.entries(seen?.headers ?? {}).filter(([name]) => isOurs(name)));
  const title = status === 400 ? /<title>(.*)<\/title>/.exec(body)?.[1] : undefined;
  return {
    status,
    title,
    asked: fixture.backend.seen.length,
    method: seen?.method,
    target: seen?.target,
    headers,
    body: seen?.body,
  };
}

async function observeBoth(request: string | Buffer, tls: ConnectionOptions = {}) {
  return { edge: await observe(fixture.edge.port, request, tls), nginx: await observe(nginx.port, request, tls) };
}

const get = (target: string, headers: string[] = []) =>
  `${[`GET ${target} HTTP/1.1`, `Host: ${HOST}`, "Connection: close", ...headers].join("\r\n")}\r\n\r\n`;
const post = (headers: string[], body: string) => `${get("/run-1/x", headers).replace("GET", "POST")}${body}`;

describe("the edge does as nginx does", () => {
  /** Where the edge differs on purpose, and why. */
  const differences: [why: string, request: () => string, edge: number, nginx: number][] = [
    ["control characters in a path are of no use but to an attacker", () => get(CONTROL_CHARACTERS), 400, 200],
    ["lines end as HTTP says they do", () => get("/run-1/x").replaceAll("\r\n", "\n"), 400, 200],
  ];
  test.each(differences)("except that %s", async (_, request, edge, nginx) => {
    expect(await observeBoth(request())).toMatchObject({ edge: { status: edge }, nginx: { status: nginx } });
  });

  test.each(Object.keys(SPELLINGS).filter((target) => target !== CONTROL_CHARACTERS))(
    "asked for %s",
    async (target) => {
      const both = await observeBoth(get(target));
      expect(both.edge).toEqual(both.nginx);
      expect(both.edge).toMatchObject({ status: typeof SPELLINGS[target] === "number" ? SPELLINGS[target] : 200 });
    },
  );

  test("asked for 500 targets put together at random", async () => {
    const parts = [
      "/",
      "/",
      "/",
      "run-1",
      ".",
      "..",
      "%2e",
      "%2F",
      "%5c",
      "\\",
      "a",
      "finalize",
      "%25",
      "%3f",
      "?",
      "#",
      ";",
      "%",
      "=",
      "&",
      "+",
    ];
    let seed = 20_261_123;
    const pick = (): string => {
      seed = (seed * 48_271) % 2_147_483_647;
      return parts[seed % parts.length] ?? "";
    };
    for (let round = 0; round < 500; round++) {
      const target = `/run-1/${Array.from({ length: 1 + (round % 9) }, pick).join("")}`;
      const both = await observeBoth(get(target));
      expect(both.edge, target).toEqual(both.nginx);
    }
  });

  test("with every byte in a path, escaped and plain", async () => {
    for (let byte = 0x20; byte < 0x100; byte++) {
      const escaped = `/run-1/<%${byte.toString(16).padStart(2, "0")}>`;
      const both = await observeBoth(get(escaped));
      if (byte !== 0x7f) expect(both.edge, escaped).toEqual(both.nginx);
      const plain = `/run-1/${String.fromCharCode(byte)}`;
      if (byte > 0x20 && byte < 0x7f)
        expect((await observeBoth(get(plain))).edge, plain).toEqual((await observeBoth(get(plain))).nginx);
    }
  });

  const clients: Record<string, () => Promise<ConnectionOptions>> = {
    "no certificate": async () => ({ cert: undefined, key: undefined }),
    "its certificate without the intermediates": async () => ({ cert: fixture.pki.device.leaf }),
    "its certificate and one intermediate": async () => ({
      cert: fixture.pki.device.leaf + fixture.pki.mica.certificatePem,
    }),
    "its chain in another order, with the root": async () => ({
      cert: [
        fixture.pki.device.leaf,
        ...[fixture.pki.root, fixture.pki.mca, fixture.pki.mica].map((ca) => ca.certificatePem),
      ].join(""),
    }),
    "an expired certificate": async () => issue({ notAfter: new Date(Date.now() - 60_000) }),
    "a certificate of tomorrow": async () => issue({ notBefore: new Date(Date.now() + 1_800_000) }),
    "one intermediate more than the depth": async () => {
      const deeper = await fixture.pki.mica.createAuthority("DEEPER");
      const { certificatePem, keyPem } = await deeper.issueDevice();
      return { cert: certificatePem + deeper.certificatePem + issuers(), key: keyPem };
    },
    "a certificate with a subject": async () => {
      const { certificatePem, keyPem } = await fixture.pki.mica.issueClient(
        'C=AU, O="Bytes, & \u00c4rger #1", OU=a+OU=b, CN=agg',
      );
      return { cert: certificatePem + issuers(), key: keyPem };
    },
    "a certificate of the root's": async () => {
      const { certificatePem: cert, keyPem: key } = await fixture.pki.root.issueDevice();
      return { cert, key };
    },
    "another authority's certificate": async () => {
      const { certificatePem: cert, keyPem: key } = await (await createRootAuthority("SERCA")).issueDevice();
      return { cert, key };
    },
    "an authority's own certificate": async () => ({
      cert: fixture.pki.mca.certificatePem,
      key: fixture.pki.mca.keyPem,
    }),
    "no server name": async () => ({ servername: "" }),
    "another server's name": async () => ({ servername: "other.example" }),
    "an unknown server's name": async () => ({ servername: "unknown.example" }),
  };
  const issuers = () => fixture.pki.mica.certificatePem + fixture.pki.mca.certificatePem;
  const issue = async (validity: object): Promise<ConnectionOptions> => {
    const { certificatePem, keyPem } = await fixture.pki.mica.issueDevice(validity);
    return { cert: certificatePem + issuers(), key: keyPem };
  };

  test.each(["TLSv1.2", "TLSv1.3"] as const)("with every kind of client, in %s", async (version) => {
    for (const [name, client] of Object.entries(clients)) {
      const both = await observeBoth(get("/run-1/dcap"), {
        minVersion: version,
        maxVersion: version,
        ...(await client()),
      });
      expect({ name, ...both.edge }).toEqual({ name, ...both.nginx });
    }
  });

  test.each(
    Object.entries({
      "headers that are the edge's": get("/run-1/x", [
        ...["ssl-client-cert: f", "SSL-Client-Verify: f", "ssl-client-subject-dn: CN=f", "ssl_client_cert: f"],
        ...["ssl.client.cert: f", "X-Forwarded-For: f", "x_y: f", "X-Kept: 1"],
      ]),
      "a chunked body": post(["Transfer-Encoding: chunked"], "3\r\nabc\r\n0\r\n\r\n"),
      "an empty chunked body": post(["Transfer-Encoding: chunked"], "0\r\n\r\n"),
      "a plain body": post(["Content-Length: 3"], "abc"),
      "two lengths": post(["Content-Length: 3", "Content-Length: 3"], "abc"),
      "a length and chunks": post(["Content-Length: 3", "Transfer-Encoding: chunked"], "0\r\n\r\n"),
      "a signed length": post(["Content-Length: +3"], "abc"),
      "an unknown coding": post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
      "a folded header": get("/run-1/x", ["X-A: b", " c"]),
      "a space before the colon": get("/run-1/x", ["X-A : b"]),
      "a NUL in a header": get("/run-1/x", ["X-A: a\0b"]),
      "no host": "GET / HTTP/1.1\r\n\r\n",
      "two hosts": get("/run-1/x", [`Host: ${HOST}`]),
      "a strange host": get("/run-1/x").replace(HOST, "a/b"),
      "HTTP/1.0 with chunks": post(["Transfer-Encoding: chunked"], "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"),
      TRACE: get("/run-1/x").replace("GET", "TRACE"),
      "a body that is told to be too long": post([`Content-Length: ${1024 ** 2 + 1}`], ""),
    }),
  )("with %s", async (_, request) => {
    const both = await observeBoth(request);
    expect(both.edge).toEqual(both.nginx);
  });
});

describe("openssl and curl", () => {
  const curl = async (...options: string[]): Promise<string> => {
    const always = [
      "-s",
      "-k",
      "--max-time",
      "10",
      "-o",
      join(folder, "body"),
      "-w",
      "%{http_code} %{ssl_verify_result}",
    ];
    const address = [
      "--resolve",
      `${HOST}:${fixture.edge.port}:127.0.0.1`,
      `https://${HOST}:${fixture.edge.port}/run-1/dcap`,
    ];
    return (await run("curl", [...always, ...options, ...address])).stdout;
  };
  const device = () => ["--cert", join(folder, "device.crt"), "--key", join(folder, "device.key")];

  test("curl gets through with the suite of IEEE 2030.5 and nothing else", async () => {
    const suite = ["--tls-max", "1.2", "--ciphers", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"];
    const trusting = ["--cacert", join(folder, "ca.crt")];
    expect(await curl(...device(), ...suite, ...trusting)).toMatch(/^200 /);
    expect(await curl("--cert", join(folder, "leaf.crt"), "--key", join(folder, "device.key"), ...suite)).toMatch(
      /^400 /,
    );
    expect(await curl(...suite)).toMatch(/^400 /);
  });

  test("curl's body above what a socket holds, and one that is refused", async () => {
    const body = join(folder, "big");
    await writeFile(body, "x".repeat(1_000_000));
    expect(await curl(...device(), "--data-binary", `@${body}`)).toMatch(/^200 /);
    expect(fixture.backend.seen.at(-1)?.body.length).toBe(1_000_000);
    expect(await curl("--data-binary", `@${body}`)).toMatch(/^400 /);
    await writeFile(body, "x".repeat(3_000_000));
    expect(await curl(...device(), "--data-binary", `@${body}`)).toMatch(/^413 /);
    expect(await curl(...device(), "-H", "Transfer-Encoding: chunked", "--data-binary", `@${body}`)).toMatch(/^413 /);
  });

  test.each(["-tls1_2", "-tls1_3"])("openssl resumes no session with %s", async (version) => {
    const { port } = fixture.edge;
    const args = ["s_client", version, "-connect", `127.0.0.1:${port}`, "-servername", HOST, "-reconnect"];
    const said = await run("sh", ["-c", 'sleep 1 | exec openssl "$@"', "sh", ...args]).catch((error) => error);
    expect(said.stdout).toMatch(/^New, TLSv1/m);
    expect(said.stdout).not.toMatch(/^Reused/m);
  });
});
