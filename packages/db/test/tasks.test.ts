import { expect, test } from "vitest";
import { finishTask, leaseTask } from "../src/queries/tasks.ts";
import { createTestDatabase } from "../src/testing/index.ts";

test("a task is done by one replica, again when due, and taken over from one that died", async () => {
  await using database = await createTestDatabase();
  const take = (owner: string, leaseSeconds = 60) => leaseTask(database.db, { name: "sweep", owner, leaseSeconds });
  const taken = await Promise.all(Array.from({ length: 10 }, (_, index) => take(`replica-${index}`)));
  expect(taken.filter(Boolean)).toHaveLength(1);
  const owner = `replica-${taken.indexOf(true)}`;
  await finishTask(database.db, { name: "sweep", owner: "another", repeatEverySeconds: 0 });
  expect(await take("late")).toBe(false);

  await finishTask(database.db, { name: "sweep", owner, repeatEverySeconds: 3600 });
  expect(await take("early")).toBe(false);
  await finishTask(database.db, { name: "sweep", owner: "early", repeatEverySeconds: 0 });
  await database.db
    .updateTable("task")
    .set({ next_due_at: new Date(0) })
    .execute();
  expect(await take("dying", -1)).toBe(true);
  expect(await take("heir")).toBe(true);
});
