import { count, flag, oneOf, seconds, text, type ValuesOf, variable } from "./variable.ts";

/** What can be made to go wrong: each row is a switch, by environment variable at start and by name at run time. */
export const faultTable = {
  responseCase: variable("RESPONSE_CASE", oneOf("camel", "snake"), "camel", "case of the keys in JSON answers"),
  startDelaySeconds: variable("START_DELAY_SECONDS", seconds, 0, "nothing listens for so long"),
  unhealthy: variable("UNHEALTHY", flag, false, "`/health` is 503"),
  silent: variable("SILENT", flag, false, "connections are accepted and never answered"),
  envoyDown: variable("ENVOY_DOWN", flag, false, "clients get 500, `/health` stays 200"),
  crashAfterSeconds: variable("CRASH_AFTER_SECONDS", seconds, 0, "the process ends so long after (0: never)"),
  crashOn: variable("CRASH_ON", text, "", "the process ends at this call, as in `POST /start`"),
  crashExitCode: variable("CRASH_EXIT_CODE", count, 1, "with this code"),
  initialiseFails: variable(
    "INITIALISE_FAILS",
    oneOf("", "412", "500"),
    "",
    "with 412 the test is active all the same",
  ),
  archiveMib: variable("ARCHIVE_MIB", count, 0, "incompressible MiB added to the archive"),
  errorArchive: variable("ERROR_ARCHIVE", flag, false, "the archive is only `errors.txt`"),
  finalizeSeconds: variable("FINALIZE_SECONDS", seconds, 0, "finalize takes so long, and blocks everything"),
  finalizeLimitSeconds: variable("FINALIZE_LIMIT_SECONDS", seconds, 60, "a longer finalize is killed then"),
  finalizeKilled: variable("FINALIZE_KILLED", flag, false, "closed before any byte; the test is gone"),
  finalizeCutBytes: variable(
    "FINALIZE_CUT_BYTES",
    count,
    0,
    "reset after so many bytes of zip (0: never); the test is gone",
  ),
  chunkedHangSeconds: variable("CHUNKED_HANG_SECONDS", seconds, 300, "how long a chunked request body hangs the proxy"),
};

export type Faults = ValuesOf<typeof faultTable>;
