import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { WorkQueue } from "./work-queue.ts";

function recordingQueue(limit: number) {
  const started: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const queue = new WorkQueue(async (id) => {
    started.push(id);
    const gate = Promise.withResolvers<void>();
    gates.set(id, gate);
    await gate.promise;
  }, limit);
  const finish = async (id: string): Promise<void> => {
    gates.get(id)?.resolve();
    await turn();
  };
  return { queue, started, finish };
}

test("works on many at once up to the limit, and on each one at a time", async () => {
  const { queue, started, finish } = recordingQueue(2);
  for (const id of ["a", "b", "c", "a", "c", "c"]) queue.add(id);
  expect(started).toEqual(["a", "b"]);
  await finish("a");
  // a was added again while it was worked on, and comes after c, which was added twice while it waited: once.
  expect(started).toEqual(["a", "b", "c"]);
  await finish("b");
  expect(started).toEqual(["a", "b", "c", "a"]);
  await finish("c");
  await finish("a");
  expect(started).toEqual(["a", "b", "c", "a"]);
});

test("after a pause it works once, at the latest pause asked for", async () => {
  const { queue, started, finish } = recordingQueue(1);
  queue.addAfter("a", 60_000);
  queue.addAfter("a", 1);
  await expect.poll(() => started).toEqual(["a"]);
  await finish("a");
  await queue[Symbol.asyncDispose]();
  expect(started).toEqual(["a"]);
});

test("closing waits for what is under way and begins nothing new", async () => {
  const { queue, started, finish } = recordingQueue(1);
  queue.add("a");
  queue.add("b");
  queue.add("a");
  let closed = false;
  const closing = queue[Symbol.asyncDispose]().then(() => {
    closed = true;
  });
  await turn();
  expect(closed).toBe(false);
  await finish("a");
  await closing;
  queue.add("c");
  queue.addAfter("d", 0);
  await turn();
  expect(started).toEqual(["a"]);
});
