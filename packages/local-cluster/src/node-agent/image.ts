import { accessSync, constants, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { expandVariables } from "./expand-variables.ts";
import type { Container } from "./pod-model.ts";

/** A folder that stands for an image's root, with what an image says about how it is run. */
export interface Image {
  folder: string;
  /** What runs when the container has no `command` of its own. */
  entrypoint?: readonly string[];
  /** Arguments when the container has neither `command` nor `args`. */
  cmd?: readonly string[];
  /** Variables below those of the container, such as `NODE_OPTIONS`. */
  env?: Readonly<Record<string, string>>;
}

/** Images by name, as containers name them; a bare folder has nothing to say. */
export type Images = Readonly<Record<string, string | Image>>;

/** A program that cannot be started, in the words of the container runtime. */
export class StartError extends Error {
  override readonly name = "StartError";

  constructor(why: string) {
    super(
      "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
        `unable to start container process: error during container init: ${why}: unknown`,
    );
  }
}

/** The directories in which programs are looked for: that of the Node that runs the agent first. */
export const PROGRAM_PATH = [
  dirname(process.execPath),
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
].join(":");

export function findImage(images: Images, name: string): Image | undefined {
  const image = Object.hasOwn(images, name) ? images[name] : undefined;
  return typeof image === "string" ? { folder: image } : image;
}

/** The folder a container starts in: its `workingDir` inside the image, or the image itself. */
export function workingDirectory(image: Image, container: Container): string {
  return join(image.folder, container.workingDir ?? "");
}

/**
 * The command line of a container, `$(NAME)` expanded, its program found as the runtime would find it.
 *
 * @throws {StartError} when there is no command, no such program or no such folder
 */
export function buildCommand(image: Image, container: Container, env: Readonly<Record<string, string>>): string[] {
  const entrypoint = container.command?.length ? container.command : image.entrypoint;
  const args = container.args ?? (container.command?.length ? [] : image.cmd);
  const [program, ...rest] = [...(entrypoint ?? []), ...(args ?? [])].map((part) => expandVariables(part, env));
  if (program === undefined) throw new StartError("no command specified");
  const { PATH = PROGRAM_PATH } = env;
  const cwd = workingDirectory(image, container);
  if (!isKind(cwd, "isDirectory")) {
    throw new StartError(
      `chdir to cwd ("${container.workingDir ?? "/"}") set in config.json failed: no such file or directory`,
    );
  }
  return [findProgram(program, image, cwd, PATH), ...rest];
}

function findProgram(program: string, image: Image, cwd: string, path: string): string {
  const inImage = isAbsolute(program) ? [join(image.folder, program)] : [];
  const candidates = program.includes("/")
    ? [...inImage, resolve(cwd, program)]
    : path.split(":").map((folder) => join(folder, program));
  const found = candidates.find((file) => isKind(file, "isFile"));
  if (found === undefined) {
    const why = program.includes("/")
      ? `stat ${program}: no such file or directory`
      : "executable file not found in $PATH";
    throw new StartError(`exec: "${program}": ${why}`);
  }
  const runnable = candidates.find((file) => isKind(file, "isFile") && isExecutable(file));
  if (runnable === undefined) throw new StartError(`exec: "${program}": permission denied`);
  return runnable;
}

function isKind(path: string, kind: "isFile" | "isDirectory"): boolean {
  return statSync(path, { throwIfNoEntry: false })?.[kind]() ?? false;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
