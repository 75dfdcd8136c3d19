import ora from "ora";

/** Shows what happens, with the time since the beginning: a spinner on a terminal, plain lines in a pipe. */
export interface Progress {
  /** Something has been reached. */
  done(what: string): void;
  /** Something worth knowing while the present step goes on. */
  note(what: string): void;
  /** The step that has begun. */
  doing(what: string): void;
  /** Ends with what went wrong. */
  failed(what: string): void;
}

export interface Output {
  isTTY?: boolean;
  write(text: string): unknown;
}

export function createProgress(output: Output, now: () => number = Date.now): Progress {
  const start = now();
  const line = (mark: string, what: string): string => `${seconds(now() - start)}  ${mark} ${what}\n`;
  if (output.isTTY !== true) {
    const write = (mark: string) => (what: string) => void output.write(line(mark, what));
    return { done: write("✔"), note: write(" "), doing: () => {}, failed: write("✖") };
  }
  const spinner = ora({ stream: output as NodeJS.WriteStream });
  const above = (mark: string, what: string): void => {
    const spinning = spinner.isSpinning;
    spinner.stop();
    output.write(line(mark, what));
    if (spinning) spinner.start();
  };
  return {
    done: (what) => above("✔", what),
    note: (what) => above(" ", what),
    doing: (what) => void spinner.start(what),
    failed(what) {
      spinner.stop();
      above("✖", what);
    },
  };
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2).padStart(7)} s`;
}
