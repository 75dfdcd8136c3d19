import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";

export type { Logger } from "pino";

/** One line of JSON per message on standard output. Tokens and connection strings are never logged; these paths make sure. */
export function createLogger(config: Pick<Config, "LOG_LEVEL">): Logger {
  return pino({
    level: config.LOG_LEVEL,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: [
      "req.headers.authorization",
      "headers.authorization",
      "*.privateKeyPem",
      "*.pkcs12Base64",
      "*.pkcs12Password",
    ],
    base: null,
  });
}
