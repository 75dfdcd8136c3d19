import type { z } from "zod";
import {
  initialiseAnswerSchema,
  type RequestPair,
  type RunnerStatus,
  type RunRequest,
  requestPairSchema,
  runnerStatusSchema,
  startAnswerSchema,
  toRunRequestBody,
} from "./messages.ts";
import { judgeAnswer, RunnerError } from "./runner-error.ts";
import type { RunnerTransport, TransportResponse } from "./transport.ts";

/** What `POST /finalize` answers: the zip, still on its way. */
export interface FinaliseAnswer {
  fileName: string;
  contentType: string;
  /** Bytes, as announced; undefined when they were not. */
  size: number | undefined;
  /** @throws {RunnerError} `silent` when it breaks off */
  content: AsyncIterable<Buffer>;
}

export interface RunnerLimits {
  /** For calls that only read: until the answer begins, and once more until it is whole. */
  readSeconds: number;
  /** For initialise and start, which do real work. */
  changeSeconds: number;
  /** Until finalize answers: its own server kills it after 60 s. */
  finaliseSeconds: number;
}

const DEFAULT_LIMITS: RunnerLimits = { readSeconds: 2, changeSeconds: 30, finaliseSeconds: 75 };

/**
 * The HTTP API of one cactus-runner. Every call has a time limit and throws {@link RunnerError}, whose message may be shown
 * to the user; upstream text that may not (400 and 500 echo requests and tracebacks) is in `cause`.
 */
export interface RunnerClient {
  /** Resolves when the runner and what it needs are up. */
  health(): Promise<void>;
  status(): Promise<RunnerStatus>;
  /** Gives the runner its test. `isStarted`: the procedure starts at once. */
  initialise(request: RunRequest): Promise<{ isStarted: boolean }>;
  start(): Promise<void>;
  /** Ends the test. Answers once: whoever calls must read the content to its end, and must never call twice at a time. */
  finalise(): Promise<FinaliseAnswer>;
  /** One recorded exchange; undefined when there is none of this id. */
  requestPair(requestId: number): Promise<RequestPair | undefined>;
}

export function createRunnerClient(transport: RunnerTransport, limits: Partial<RunnerLimits> = {}): RunnerClient {
  const { readSeconds, changeSeconds, finaliseSeconds } = { ...DEFAULT_LIMITS, ...limits };

  async function call(
    method: "GET" | "POST",
    path: string,
    seconds: number,
    body?: object,
  ): Promise<TransportResponse> {
    const response = await transport({
      method,
      path,
      headerTimeoutMs: seconds * 1000,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (response.status >= 200 && response.status < 300) return response;
    throw judgeAnswer(`${method} ${path}`, response.status, await readText(response, readSeconds));
  }

  async function parse<TSchema extends z.ZodType>(
    schema: TSchema,
    response: TransportResponse,
  ): Promise<z.output<TSchema>> {
    const text = await readText(response, readSeconds);
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new RunnerError("broken", "The runner answered something that is not its API's.", { cause });
    }
  }

  return {
    async health() {
      await readText(await call("GET", "/health", readSeconds), readSeconds);
    },
    status: async () => parse(runnerStatusSchema, await call("GET", "/status", readSeconds)),
    async initialise(request) {
      const response = await call("POST", "/initialise", changeSeconds, toRunRequestBody(request));
      const answer = await parse(initialiseAnswerSchema, response);
      return { isStarted: answer.isStarted === true };
    },
    async start() {
      await parse(startAnswerSchema, await call("POST", "/start", changeSeconds));
    },
    async finalise() {
      const { headers, body } = await call("POST", "/finalize", finaliseSeconds);
      const length = headers["content-length"];
      return {
        fileName: fileNameOf(headers["content-disposition"]) ?? "artifact.zip",
        contentType: headers["content-type"] ?? "application/zip",
        size: length === undefined ? undefined : Number(length),
        content: readPieces(body),
      };
    },
    async requestPair(requestId) {
      try {
        return await parse(requestPairSchema, await call("GET", `/request/${requestId}`, readSeconds));
      } catch (error) {
        if (error instanceof RunnerError && error.status === 404) return undefined;
        throw error;
      }
    },
  };
}

/** Most that is read of an answer that is not an archive, bytes. */
const LONGEST_ANSWER = 64 * 1024 * 1024;

/** Once an answer has begun, its text has to come in time as well. */
async function readText({ body }: TransportResponse, seconds: number): Promise<string> {
  const late = new Error(`the answer was not whole within ${seconds} s`);
  const timer = setTimeout(() => body.destroy(late), seconds * 1000);
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of readPieces(body)) {
      pieces.push(piece);
      length += piece.length;
      if (length > LONGEST_ANSWER) throw new RunnerError("broken", "The runner's answer is far too long.");
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(pieces).toString("utf8");
}

async function* readPieces(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (cause) {
    throw new RunnerError("silent", "The runner broke off its answer.", { cause });
  }
}

function fileNameOf(disposition: string | undefined): string | undefined {
  const name = /filename="([^"]+)"/.exec(disposition ?? "")?.[1];
  // A name, not a path, and nothing that a file system or a header chokes on.
  return name?.replace(/[^A-Za-z0-9._+-]/g, "-");
}
