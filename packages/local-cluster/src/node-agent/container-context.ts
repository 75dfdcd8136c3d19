import type { ClusterApi } from "../cluster-api.ts";
import type { ActionContext } from "./container-action.ts";
import { buildEnvironment } from "./environment.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { buildCommand, findImage, type Image, type Images, workingDirectory } from "./image.ts";
import type { LogFiles } from "./log-files.ts";
import type { Container, Pod } from "./pod-model.ts";
import type { PodAddress } from "./pod-network.ts";
import type { ProcessOwner, ProcessRegistry } from "./process-registry.ts";
import { mountVariables } from "./volumes.ts";

const MAX_OUTPUT_BYTES = 10 * 1024;

/** What a container is run by and with. */
export interface ContainerContext {
  cluster: ClusterApi;
  images: Images;
  registry: ProcessRegistry;
  logs: LogFiles;
  events: EventRecorder;
  now: () => Date;
  hostIP: string;
  /** Holds a folder for each of the Pod's volumes. */
  volumes: string;
  pod: () => Pod;
  address: () => PodAddress;
}

/** The image of a container is not on this node; in the words of the container runtime. */
export class ImagePullError extends Error {
  override readonly name = "ImagePullError";

  constructor(image: string) {
    const resolving = `failed to resolve reference "${image}": ${image}: not found`;
    super(`rpc error: code = NotFound desc = failed to pull and unpack image "${image}": ${resolving}`);
  }
}

/** @throws {ImagePullError} */
export function getImage({ images }: ContainerContext, container: Container): Image {
  const image = findImage(images, container.image ?? "");
  if (image === undefined) throw new ImagePullError(container.image ?? "");
  return image;
}

/** @throws {ImagePullError | ContainerConfigError} */
export function getEnvironment(context: ContainerContext, container: Container): Promise<Record<string, string>> {
  const { ip, ports = {} } = context.address();
  const portVariables = Object.entries(ports).map(([containerPort, port]) => [`PORT_${containerPort}`, String(port)]);
  const given = { ...mountVariables(container, context.volumes), ...Object.fromEntries(portVariables) };
  const image = getImage(context, container);
  const { hostIP } = context;
  return buildEnvironment(context.cluster, { pod: context.pod(), container, image, podIP: ip, hostIP, given });
}

/** Lets the probes and hooks of an instance of a container reach it until it ends. */
export function actionContext(
  context: ContainerContext,
  container: Container,
  instance: ProcessOwner,
  ended: AbortSignal,
): ActionContext {
  const owner: ProcessOwner = { ...instance, role: "action" };
  return {
    pod: context.pod(),
    container,
    podIP: context.address().ip,
    ended,
    execute: async (command, end) => {
      const env = await getEnvironment(context, container);
      const image = getImage(context, container);
      const argv = buildCommand(image, { ...container, command: [...command], args: [] }, env);
      const said: Buffer[] = [];
      const onOutput = (chunk: Buffer): void => {
        if (Buffer.concat(said).length < MAX_OUTPUT_BYTES) said.push(chunk);
      };
      const cwd = workingDirectory(image, container);
      end.throwIfAborted();
      const process = context.registry.launch({ argv, cwd, env, output: "pipe", onOutput }, owner);
      const kill = (): void => process.signal("SIGKILL");
      end.addEventListener("abort", kill);
      return { code: await process.exited, output: Buffer.concat(said).toString("utf8", 0, MAX_OUTPUT_BYTES) };
    },
  };
}
