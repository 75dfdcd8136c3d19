import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { PodNetwork } from "./pod-network.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cactus-network-"));
  return () => rmSync(folder, { recursive: true, force: true });
});
const file = () => join(folder, "network.json");

test("keeps its network and what Pods have of it; another folder has another", async () => {
  const { ip } = await (await PodNetwork.open(folder, "addresses")).assign("a", []);
  const again = await PodNetwork.open(folder);
  expect(again.find("a")).toEqual({ ip });
  expect((await again.assign("b", [])).ip).not.toBe(ip);
  again.releaseAllBut(new Set(["b"]));
  expect((await PodNetwork.open(folder)).find("a")).toBeUndefined();
  const prefixes = new Set<string>();
  for (let round = 0; round < 5; round++) {
    rmSync(file());
    const other = await (await PodNetwork.open(folder, "addresses")).assign("a", []);
    prefixes.add(other.ip.slice(0, other.ip.lastIndexOf(".")));
  }
  expect(prefixes.size).toBeGreaterThan(1);
});

test("takes the mode that is wanted, else the one it had, else the one that works here", async () => {
  const mode = (await PodNetwork.open(folder)).mode;
  expect(mode).toBe(process.platform === "linux" ? "addresses" : "ports");
  expect((await PodNetwork.open(folder, "ports")).mode).toBe("ports");
  expect((await PodNetwork.open(folder)).mode).toBe("ports");
  writeFileSync(file(), "{");
  expect((await PodNetwork.open(folder)).mode).toBe(mode);
  expect(JSON.parse(readFileSync(file(), "utf8"))).toMatchObject({ mode });
});

test("gives each Pod its own address until none is left, and takes back what is released", async () => {
  const network = await PodNetwork.open(folder, "addresses");
  const given = await Promise.all(Array.from({ length: 252 }, (_, index) => network.assign(`pod-${index}`, [80])));
  expect(await network.assign("pod-0", [80])).toEqual(given[0]);
  await network.assign("the-last", []);
  expect(new Set(given.map(({ ip }) => ip)).size).toBe(252);
  await expect(network.assign("one-more", [])).rejects.toThrow("no address left");
  network.release("pod-7");
  expect(await network.assign("one-more", [])).toEqual(given[7]);
});

test("gives each container port a free port below the ephemeral ones, to many Pods at once", async () => {
  const before = { mode: "ports", prefix: "127.1.2", pods: { before: { ip: "127.0.0.1", ports: { 80: 20_001 } } } };
  writeFileSync(file(), JSON.stringify(before));
  const network = await PodNetwork.open(folder);
  const given = await Promise.all(Array.from({ length: 60 }, (_, index) => network.assign(`pod-${index}`, [80, 8080])));
  const ports = given.flatMap((address) => Object.values(address.ports ?? {}));
  expect(new Set([...ports, 20_001]).size).toBe(121);
  expect(ports.every((port) => port >= 20_000 && port < 32_000)).toBe(true);
  const server = createServer().listen(ports[0], "127.0.0.1");
  await once(server, "listening");
  server.close();
});

test("gives no port that is in use", async () => {
  const last = [20_100, 20_101, 20_102, 20_103];
  const servers = last.slice(0, 3).map((port) => createServer().listen(port, "127.0.0.1"));
  // A port that somebody else has is in use as well.
  await Promise.all(servers.map((server) => Promise.race([once(server, "listening"), once(server, "error")])));
  const others = Array.from({ length: 12_000 }, (_, index) => 20_000 + index).filter((port) => !last.includes(port));
  const pods = { others: { ip: "127.0.0.1", ports: Object.fromEntries(others.map((port) => [port, port])) } };
  writeFileSync(file(), JSON.stringify({ mode: "ports", prefix: "127.1.2", pods }));
  const network = await PodNetwork.open(folder);
  expect(await network.assign("a", [80])).toEqual({ ip: "127.0.0.1", ports: { 80: 20_103 } });
  await expect(network.assign("b", [80])).rejects.toThrow("no port left");
  for (const server of servers) server.close();
});
