/** The newest lines of one log of the teststack, in the form that its parts write. */
export class Journal {
  readonly #lines: string[] = [];
  readonly #limit: number;

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  write(at: Date, origin: string, message: string): void {
    const time = at.toISOString().replace("T", " ").replace(".", ",").replace("Z", "");
    this.#lines.push(`${time} - INFO - ${origin} - ${message}\n`);
    if (this.#lines.length > this.#limit) this.#lines.shift();
  }

  toString(): string {
    return this.#lines.join("");
  }
}
