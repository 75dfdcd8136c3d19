import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { buildCommand, findImage, type Image } from "./image.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cactus-image-"));
  mkdirSync(join(folder, "app"));
  for (const [name, mode] of [
    ["app/run", 0o755],
    ["app/data", 0o644],
  ] as const) {
    writeFileSync(join(folder, name), "#!/bin/sh\n");
    chmodSync(join(folder, name), mode);
  }
  return () => rmSync(folder, { recursive: true, force: true });
});

const image = (more: Partial<Image> = {}): Image => ({ folder, ...more });
const env = { PATH: "/nowhere:/bin", NAME: "x" };
const command = (container: object, from = image()) => buildCommand(from, { name: "c", ...container }, env);

test("command and args stand above the image's own, as OCI has it", () => {
  const own = image({ entrypoint: ["sh", "-e"], cmd: ["a", "b"] });
  expect(command({}, own)).toEqual(["/bin/sh", "-e", "a", "b"]);
  expect(command({ args: ["c", "$(NAME)"] }, own)).toEqual(["/bin/sh", "-e", "c", "x"]);
  expect(command({ command: ["ls"] }, own)).toEqual(["/bin/ls"]);
  expect(command({ command: ["ls"], args: ["$$(NAME)"] }, own)).toEqual(["/bin/ls", "$(NAME)"]);
});

test("finds programs in the image, beside the working directory, on the machine", () => {
  expect(command({ command: ["/app/run"] })).toEqual([join(folder, "app/run")]);
  expect(command({ command: ["./run"], workingDir: "/app" })).toEqual([join(folder, "app/run")]);
  expect(command({ command: ["/bin/sh"] })).toEqual(["/bin/sh"]);
});

test.each([
  [{ command: ["nope"] }, 'exec: "nope": executable file not found in $PATH'],
  [{ command: ["/app/nope"] }, 'exec: "/app/nope": stat /app/nope: no such file or directory'],
  [{ command: ["/app/data"] }, 'exec: "/app/data": permission denied'],
  [{ command: ["/app"] }, 'exec: "/app": stat /app: no such file'],
  [{ command: ["sh"], workingDir: "/nope" }, 'chdir to cwd ("/nope") set in config.json failed'],
  [{}, "no command specified"],
])("says why it cannot start %j", (container, why) => {
  expect(() => command(container)).toThrow(why);
});

test("knows images by their whole name and nothing else", () => {
  expect(findImage({ "runner:1": "/a", full: { folder: "/b" } }, "runner:1")).toEqual({ folder: "/a" });
  expect(findImage({ full: { folder: "/b" } }, "full")).toEqual({ folder: "/b" });
  expect(findImage({ "runner:1": "/a" }, "runner")).toBeUndefined();
  expect(findImage({}, "constructor")).toBeUndefined();
});
