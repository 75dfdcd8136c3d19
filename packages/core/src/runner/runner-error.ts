import { toUserText } from "./judge.ts";

export type RunnerErrorKind =
  /** No answer: refused, timed out, broken off, or its Pod cannot be reached. */
  | "silent"
  /** 503 of `/health`: up, but what it needs is not. */
  | "unhealthy"
  /** 409: it is in another state. The text is for the user. */
  | "conflict"
  /** 412: a precondition of the test is not met. The text is for the user. */
  | "precondition"
  /** Other 4xx: it does not take this. */
  | "refused"
  /** 5xx, or an answer that is not its API's. */
  | "broken";

/** A call to a runner that did not do what it should. The message may be shown to the user. */
export class RunnerError extends Error {
  override readonly name = "RunnerError";
  readonly kind: RunnerErrorKind;
  /** HTTP status, when there was one. */
  readonly status: number | undefined;

  constructor(kind: RunnerErrorKind, message: string, options: ErrorOptions & { status?: number } = {}) {
    super(message, options);
    this.kind = kind;
    this.status = options.status;
  }
}

/** Sorts an answer that is not a success. Only 409 and 412 carry texts for users. */
export function judgeAnswer(call: string, status: number, text: string): RunnerError {
  const options = { status, cause: new Error(`${call} answered ${status}: ${text.slice(0, 2_000)}`) };
  if (status === 409) return new RunnerError("conflict", toUserText(text), options);
  if (status === 412) return new RunnerError("precondition", toUserText(text), options);
  if (isFromApiServer(text)) return new RunnerError("silent", "The runner cannot be reached.", options);
  if (status === 503) return new RunnerError("unhealthy", "The runner is not healthy yet.", options);
  if (status >= 500) return new RunnerError("broken", "The runner failed inside.", options);
  return new RunnerError("refused", `The runner refused the call (${status}).`, options);
}

/** The Service proxy's own answer, for a Pod that is not there or does not listen. */
function isFromApiServer(text: string): boolean {
  return text.startsWith("{") && text.includes('"kind":"Status"');
}
