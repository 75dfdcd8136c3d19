import { expect, test } from "vitest";
import { createProgress } from "./progress.ts";

function record(isTTY: boolean) {
  let text = "";
  let time = 0;
  const output = {
    isTTY,
    write: (piece: string) => (text += piece),
    on: () => {},
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  };
  const progress = createProgress(output, () => (time += 500));
  return { progress, text: () => text };
}

test("in a pipe every stage is one plain line with its time, and nothing moves", () => {
  const { progress, text } = record(false);
  progress.doing("something");
  progress.done("created");
  progress.note("waiting");
  progress.failed("lost");
  expect(text()).toBe("   0.50 s  ✔ created\n   1.00 s    waiting\n   1.50 s  ✖ lost\n");
});
