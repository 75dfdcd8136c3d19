/** What is answered to a request; `json` is written in the case that the runner is set to. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly json?: unknown;
}

export function textAnswer(status: number, body: string): Answer {
  return { status, headers: { "Content-Type": "text/plain; charset=utf-8" }, body };
}

export function jsonAnswer(status: number, json: unknown): Answer {
  return { status, headers: { "Content-Type": "application/json; charset=utf-8" }, json };
}

/** A failure that the runner does not foresee: it answers 500 and tells everything, as Python would. */
export class UnforeseenError extends Error {
  override readonly name = "UnforeseenError";
  readonly pythonClass: string;

  constructor(pythonClass: string, message: string) {
    super(message);
    this.pythonClass = pythonClass;
  }
}

export function toErrorAnswer(error: unknown): Answer {
  const pythonClass = error instanceof UnforeseenError ? error.pythonClass : "Exception";
  const message = error instanceof Error ? error.message : String(error);
  const traceback = `Traceback (most recent call last):\n  File "/app", line 53, in log_error_middleware\n    response = await handler(request)\n${pythonClass}: ${message}\n`;
  return jsonAnswer(500, { error: `Internal Server Error: <class '${pythonClass}'> ${message}`, traceback });
}
