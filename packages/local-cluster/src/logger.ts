/** Where the parts of the cluster tell what happens to them; a pino logger is one. */
export interface Logger {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
}

export const silentLogger: Logger = { info: () => undefined, warn: () => undefined };
