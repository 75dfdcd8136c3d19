/** A moment at which an orchestrator can die: just before or just after one of its effects on the world. */
export interface KillPoint {
  effect: string;
  /** The how-manieth of its name in the job, from 1. */
  occurrence: number;
  moment: "before" | "after";
}

/** What becomes of an effect: it passes, it is never carried out, or it is, and nobody is told. */
export type Fate = "pass" | "die-before" | "die-after";

/** Counts the effects that pass on their way to Kubernetes, runner and Postgres, and lets the orchestrator die at one of them. */
export class Effects {
  readonly #counts = new Map<string, number>();
  readonly #point: KillPoint | undefined;
  readonly #kill: () => Promise<void>;
  #isReached = false;
  /** Effects before that are passed and not counted: those of the start, say. */
  isCounting = false;

  constructor(point: KillPoint | undefined, kill: () => Promise<void>) {
    this.#point = point;
    this.#kill = kill;
  }

  /** How often each effect was seen, by name. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  get isReached(): boolean {
    return this.#isReached;
  }

  judge(effect: string): Fate {
    if (!this.isCounting) return "pass";
    const occurrence = (this.#counts.get(effect) ?? 0) + 1;
    this.#counts.set(effect, occurrence);
    const point = this.#point;
    if (this.#isReached || point?.effect !== effect || point.occurrence !== occurrence) return "pass";
    this.#isReached = true;
    return point.moment === "before" ? "die-before" : "die-after";
  }

  die(): Promise<void> {
    return this.#kill();
  }
}
