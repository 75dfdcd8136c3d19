import type { Reporter, TestModule } from "vitest/node";

/** Prints, as the very last line of a run, how many tests passed and failed. A file that cannot be loaded counts as a failure. */
export default class CountReporter implements Reporter {
  #passed = 0;
  #failed = 0;

  onInit(): void {
    process.once("exit", (code) => {
      // A run that broke before or beside its tests (a setup that failed, say) is a failure too, whatever its exit code.
      const isBroken = this.#failed === 0 && (code !== 0 || this.#passed === 0);
      const failed = isBroken ? 1 : this.#failed;
      if (failed > 0) process.exitCode = 1;
      process.stdout.write(`${this.#passed} passed, ${failed} failed\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      failed += module.errors().length;
      for (const test of module.children.allTests()) {
        if (test.result().state === "passed") passed += 1;
        else failed += 1;
      }
    }
    this.#passed = passed;
    this.#failed = failed;
  }
}
