import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { V1ExecAction, V1HTTPGetAction, V1TCPSocketAction } from "@kubernetes/client-node";
import type { Wire } from "../cluster-api.ts";
import type { Container, Pod } from "./pod-model.ts";
import { podPort } from "./pod-port.ts";

/** What a probe or a hook does; a `Probe` and a `LifecycleHandler` are both one. */
export interface ContainerAction {
  exec?: Wire<V1ExecAction>;
  httpGet?: Wire<V1HTTPGetAction>;
  tcpSocket?: Wire<V1TCPSocketAction>;
  sleep?: { seconds: number };
}

export interface ActionContext {
  pod: Pod;
  container: Container;
  podIP: string;
  /** Aborted when the container ends: what is done in it ends with it. */
  ended: AbortSignal;
  /** Runs a command as the container would; tells its exit code and the start of its output. */
  execute: (argv: readonly string[], end: AbortSignal) => Promise<{ code: number | undefined; output: string }>;
}

/** Why an action failed, or undefined when it did not; in the kubelet's words. */
export type ActionFailure = string | undefined;

/** Does an action against a container, and reports failure as a value; never throws. */
export async function runAction(
  action: ContainerAction,
  context: ActionContext,
  timeoutSeconds: number,
): Promise<ActionFailure> {
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const end = AbortSignal.any([timeout, context.ended]);
  try {
    if (action.exec !== undefined) return await runCommand(action.exec.command ?? [], context, end);
    if (action.httpGet !== undefined) return await askHttp(action.httpGet, context, end);
    if (action.tcpSocket !== undefined) return await openSocket(action.tcpSocket, context, end);
    if (action.sleep !== undefined) return await sleepUntil(action.sleep.seconds, end);
    return "this node knows exec, httpGet, tcpSocket and sleep only";
  } catch (error) {
    return timeout.aborted ? `timed out after ${timeoutSeconds}s` : describe(error);
  }
}

async function runCommand(argv: readonly string[], context: ActionContext, end: AbortSignal): Promise<ActionFailure> {
  const { code, output } = await context.execute(argv, end);
  end.throwIfAborted();
  return code === 0 ? undefined : output.trim() || `command exited with code ${code}`;
}

async function askHttp(
  get: Wire<V1HTTPGetAction>,
  context: ActionContext,
  signal: AbortSignal,
): Promise<ActionFailure> {
  const { host = context.podIP, path = "/", scheme = "HTTP", httpHeaders = [] } = get;
  const port = reachedPort(get.port, context);
  const headers: Record<string, string> = {
    "User-Agent": "kube-probe/local-cluster",
    Accept: "*/*",
    Connection: "close",
  };
  for (const { name, value } of httpHeaders) headers[name] = value;
  const target = path.startsWith("/") ? path : `/${path}`;
  const options = { host, port, path: target, headers, signal, agent: false as const, rejectUnauthorized: false };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = scheme === "HTTPS" ? httpsRequest(options) : httpRequest(options);
    request.once("response", resolve).once("error", reject).end();
  });
  answer.on("error", () => undefined).destroy();
  const { statusCode = 0 } = answer;
  return statusCode >= 200 && statusCode < 400 ? undefined : `HTTP probe failed with statuscode: ${statusCode}`;
}

function openSocket(to: Wire<V1TCPSocketAction>, context: ActionContext, signal: AbortSignal): Promise<ActionFailure> {
  const socket = connect({ host: to.host ?? context.podIP, port: reachedPort(to.port, context), signal });
  return new Promise<ActionFailure>((resolve, reject) => {
    socket.once("connect", () => resolve(undefined)).once("error", reject);
  }).finally(() => socket.destroy());
}

function sleepUntil(seconds: number, end: AbortSignal): Promise<ActionFailure> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), seconds * 1000);
    end.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/** The port on which a container's port, by number or name, is reached. */
function reachedPort(port: string | number | object, { pod, container }: ActionContext): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  const containerPort = named ?? Number(port);
  if (!Number.isInteger(containerPort)) throw new Error(`couldn't find port: ${port}`);
  return podPort(pod, containerPort);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
