import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type EdgeHost, openHost } from "./_host.ts";
import { type IngressNginx, openIngressNginx } from "./_ingress-nginx.ts";

const AT_ONCE = 100;
const IN_TURN = 10;
const PATIENCE_MS = 90_000;
const TIME_MS = 180_000;

let edge: IngressNginx;
let host: EdgeHost;

beforeAll(async () => {
  edge = await openIngressNginx();
  host = await openHost(edge, { size: 1 + AT_ONCE + IN_TURN });
  await host.addInstance("steady");
  await host.untilServed("steady");
}, 900_000);
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await edge[Symbol.asyncDispose]();
});

test(
  `${AT_ONCE} routes made at once are served, and nobody else notices`,
  async () => {
    const reloads = await edge.countReloads();
    const names = Array.from({ length: AT_ONCE }, (_, index) => `at-once-${index}`);
    const steady = startSteadyClient();
    const began = Date.now();
    const [, delays] = await Promise.all([
      Promise.all(names.map((name) => host.addInstance(name))).then(() => tell(`made in ${Date.now() - began} ms`)),
      untilAllServed(names),
    ]);
    const { asked, failures } = await steady.stop();
    tell(`${AT_ONCE} at once: ${describeTimes(delays)} after the first was asked for`);
    tell(
      `${(await edge.countReloads()) - reloads} reloads; meanwhile ${asked} GETs of another, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
  },
  TIME_MS,
);

test(
  "routes made in turn are served, and nobody else notices",
  async () => {
    const reloads = await edge.countReloads();
    const steady = startSteadyClient();
    const delays: number[] = [];
    let misses = 0;
    for (let index = 0; index < IN_TURN; index += 1) {
      await host.addInstance(`in-turn-${index}`);
      delays.push(...(await untilAllServed([`in-turn-${index}`])));
      for (let turn = 0; turn < 20; turn += 1) {
        const { seen } = await host.get(`/in-turn-${index}/dcap`);
        if (seen === undefined) misses += 1;
      }
    }
    const { asked, failures } = await steady.stop();
    tell(`${IN_TURN} in turn: ${describeTimes(delays)} after it was made`);
    tell(`of the 20 requests after each first answer, ${misses / IN_TURN} met a worker that did not know the route`);
    tell(
      `${(await edge.countReloads()) - reloads} reloads; meanwhile ${asked} GETs of another, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
  },
  TIME_MS,
);

/** Milliseconds until each is served by itself. */
async function untilAllServed(names: string[]): Promise<number[]> {
  const began = Date.now();
  const delays: number[] = [];
  let waiting = names;
  while (waiting.length > 0) {
    if (Date.now() - began > PATIENCE_MS) throw new Error(`not served: ${waiting.join(", ")}`);
    const still: string[] = [];
    for (const name of waiting) {
      const { seen } = await host.get(`/${name}/dcap`);
      if (seen === undefined) still.push(name);
      else expect(seen.instance).toBe(name);
      if (seen !== undefined) delays.push(Date.now() - began);
    }
    waiting = still;
  }
  return delays;
}

/** A device that asks again and again, each time over a connection of its own. */
function startSteadyClient(): { stop(): Promise<{ asked: number; failures: unknown[] }> } {
  let isOver = false;
  let asked = 0;
  const failures: unknown[] = [];
  const ask = async (): Promise<void> => {
    while (!isOver) {
      asked += 1;
      const outcome = await host.get("/steady/dcap").catch((error: unknown) => error as Error);
      if (outcome instanceof Error || outcome.seen?.instance !== "steady") failures.push(outcome);
      // As a device does, and so that it is not the load that is measured.
      await sleep(20);
    }
  };
  const asking = ask();
  return {
    stop: async () => {
      isOver = true;
      await asking;
      return { asked, failures };
    },
  };
}

function describeTimes(delays: number[]): string {
  const sorted = delays.toSorted((a, b) => a - b);
  return `answers p50 ${sorted[Math.floor(sorted.length / 2)]} ms, max ${sorted.at(-1)} ms`;
}

function tell(figure: string): void {
  process.stdout.write(`  ingress-nginx: ${figure}\n`);
}
