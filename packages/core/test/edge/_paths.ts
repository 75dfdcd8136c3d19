import { beforeAll, describe, expect, test } from "vitest";
import { HOST } from "../../../local-cluster/test/_edge.ts";
import { CONTROL_CHARACTERS, SPELLINGS } from "../../../local-cluster/test/_edge-spellings.ts";
import { type EdgeHost, type EdgeUnderTest, openHost, PROXY_PREFIX } from "./_host.ts";

export function describePaths(edge: () => EdgeUnderTest): void {
  describe("where a path leads", () => {
    let host: EdgeHost;

    beforeAll(async () => {
      host = await openHost(edge(), { host: HOST });
      for (const name of ["run-1", "run-10", "run", "xrun-1"]) await host.addInstance(name);
      for (const name of ["run-1", "run-10", "run", "xrun-1"]) await host.untilServed(name);
      return () => host[Symbol.asyncDispose]();
    });

    test.each(Object.entries(SPELLINGS).filter(([target]) => target !== CONTROL_CHARACTERS))(
      "%s",
      async (target, expected) => {
        const { status, seen } = await host.get(target);
        expect({ status, target: seen?.target }).toEqual(
          typeof expected === "number"
            ? { status: expected, target: undefined }
            : { status: 200, target: expected.replace(/^\/envoy/, PROXY_PREFIX) },
        );
      },
    );

    test.each(["finalize", "initialise", "start", "status", "requests", "request/1", "proceed", "health", "next-test"])(
      "the runner's own /%s is not to be had",
      async (name) => {
        const spellings = [
          "",
          "/",
          "/run-1/../",
          "/run-1/%2e%2e/",
          "/run-1/..%2f",
          "/run-1//../",
          "/run-1/./../",
          "/%2e/",
        ];
        for (const spelling of [
          ...spellings,
          "/run-1/%2e%2e%2f%2e%2e%2f",
          "/run-1/..;/..;/",
          "/run-1/..%5c",
          "/run-1/%252e%252e/",
        ]) {
          const { seen } = await host.get(`${spelling}${name}`);
          expect(seen?.target ?? `${PROXY_PREFIX}/`).toMatch(new RegExp(`^${PROXY_PREFIX}/`));
        }
        const raw = (target: string) =>
          `POST ${target} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
        const { seen } = await host.send(raw(`/run-1/${name}`));
        expect(seen).toMatchObject({ method: "POST", target: `${PROXY_PREFIX}/${name}` });
      },
    );

    test.each([
      ["/run-1/x", "run-1"],
      ["/run-10/x", "run-10"],
      ["/run/x", "run"],
      ["/xrun-1/x", "xrun-1"],
      ["/run-10/run-1/x", "run-10"],
      ["/run/run-1/x", "run"],
      ["/run-11/x", undefined],
      ["/run-/x", undefined],
      ["/un-1/x", undefined],
      ["/run-1x/x", undefined],
      ["/run-1.x/x", undefined],
      // No two instances have names that differ in case only: they are objects of Kubernetes.
      ["/RUN-1/x", "run-1"],
      ["/XRun-1/x", "xrun-1"],
    ])("%s is asked of %s", async (target, instance) => {
      expect((await host.get(target)).seen?.instance).toBe(instance);
    });

    test.each([
      ["chunks", "Transfer-Encoding: chunked", "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n", "abcdefg"],
      ["no chunk", "Transfer-Encoding: chunked", "0\r\n\r\n", ""],
      ["a length", "Content-Length: 3", "abc", "abc"],
    ])("a body of %s arrives whole, with its length", async (_, header, sent, body) => {
      const { seen } = await host.send(
        `POST /run-1/mup HTTP/1.1\r\nHost: ${HOST}\r\n${header}\r\nConnection: close\r\n\r\n${sent}`,
      );
      expect(seen).toMatchObject({ method: "POST", target: `${PROXY_PREFIX}/mup`, body });
      const names = seen?.rawHeaders.map((text) => text.toLowerCase()) ?? [];
      expect(names).not.toContain("transfer-encoding");
      expect(names[names.indexOf("content-length") + 1]).toBe(String(body.length));
    });
  });
}
