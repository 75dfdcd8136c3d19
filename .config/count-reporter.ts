import { stripVTControlCharacters } from "node:util";
import type { Reporter, TestModule } from "vitest/node";

/** Much of an assertion's message can be a whole object. */
const SHOWN_CHARACTERS = 3_000;

/**
 * Prints last what failed, each with its error, and then, as the very last line of a run, how many tests passed and failed.
 * A file that cannot be loaded counts as a failure.
 */
export default class CountReporter implements Reporter {
  #passed = 0;
  readonly #failures: string[] = [];

  onInit(): void {
    process.once("exit", (code) => {
      // A run that broke before or beside its tests (a setup that failed, say) is a failure too, whatever its exit code.
      const isBroken = this.#failures.length === 0 && (code !== 0 || this.#passed === 0);
      const failed = isBroken ? 1 : this.#failures.length;
      if (failed > 0) process.exitCode = 1;
      const told = this.#failures.map((failure) => `── failed: ${failure}\n`);
      process.stdout.write(`${told.join("")}${this.#passed} passed, ${failed} failed\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#passed = 0;
    this.#failures.splice(0);
    for (const error of unhandledErrors) this.#fail("outside of a test", [error]);
    for (const module of modules) {
      for (const error of module.errors()) this.#fail(`${module.project.name} ${module.relativeModuleId}`, [error]);
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === "passed") this.#passed += 1;
        else this.#fail(`${module.project.name} ${module.relativeModuleId} > ${test.fullName}`, errors ?? []);
      }
    }
  }

  #fail(what: string, errors: readonly unknown[]): void {
    this.#failures.push([what, ...errors.map(describe)].join("\n"));
  }
}

function describe(error: unknown): string {
  const { message, stack, diff } = error as { message?: unknown; stack?: unknown; diff?: unknown };
  const places = String(stack ?? "").match(/^\s+at .*$/gm) ?? [];
  const ours = places.filter((place) => /\.ts:\d+/.test(place)).slice(0, 3);
  const told = [message ?? error, diff ?? "", ...ours].map(String).join("\n");
  return stripVTControlCharacters(told).slice(0, SHOWN_CHARACTERS);
}
