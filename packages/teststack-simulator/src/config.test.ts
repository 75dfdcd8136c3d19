import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseConfig, settingTable } from "./config.ts";
import { faultTable } from "./faults.ts";

test("an empty environment gives the defaults of a teststack in a cluster", () => {
  expect(parseConfig({})).toMatchObject({
    host: "0.0.0.0",
    port: 8080,
    controlPort: undefined,
    hrefPrefix: "",
    proxyPrefix: "",
    faults: { responseCase: "camel", silent: false, archiveMib: 0, finalizeLimitSeconds: 60 },
  });
});

test("reads every kind of value, and takes an empty one for unset", () => {
  const env = {
    HREF_PREFIX: "/run-1/",
    ENVOY_PROXY_PREFIX: "",
    SILENT: "true",
    FINALIZE_SECONDS: "1.5",
    ARCHIVE_MIB: "300",
  };
  expect(parseConfig(env)).toMatchObject({
    hrefPrefix: "/run-1",
    proxyPrefix: "",
    faults: { silent: true, finalizeSeconds: 1.5, archiveMib: 300 },
  });
});

test("a port gives way to the one that the local cluster assigns for it", () => {
  expect(parseConfig({ PORT_8080: "40001" }).port).toBe(40_001);
  const { port, controlPort } = parseConfig({
    PORT: "9000",
    CONTROL_PORT: "9001",
    PORT_8080: "40001",
    PORT_9001: "40002",
  });
  expect([port, controlPort]).toEqual([9000, 40_002]);
});

test("tells all mistakes at once, by name", () => {
  const env = { PORT: "http", HREF_PREFIX: "run-1", RESPONSE_CASE: "kebab", SILENT: "yes", INITIALISE_FAILS: "404" };
  expect(() => parseConfig(env)).toThrow(
    [
      "The configuration cannot be used:",
      'PORT: expected a port number from 0 to 65535, found "http"',
      'HREF_PREFIX: expected a path that begins with / and has no ? or #, found "run-1"',
      'RESPONSE_CASE: expected camel or snake, found "kebab"',
      'SILENT: expected true or false, found "yes"',
      'INITIALISE_FAILS: expected 412 or 500, found "404"',
    ].join("\n"),
  );
});

test("the README lists every variable as it is", () => {
  const lines = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    .trim()
    .split("\n");
  const rows = Object.entries({ ...settingTable, ...faultTable }).map(
    ([, { name, initial, meaning }]) =>
      `| \`${name}\` | ${initial === undefined || initial === "" ? "–" : initial} | ${meaning} |`,
  );
  const listed = lines.filter((line) => line.startsWith("| `")).map((line) => line.replace(/ +/g, " "));
  expect(listed).toEqual(rows);
  expect(lines.length).toBeLessThanOrEqual(40);
});
