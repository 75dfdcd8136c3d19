/** One line of a run's story. `id` counts 1, 2, 3, … and is what a client that comes back names as its last. */
export interface RunEventView {
  id: string;
  /** ISO 8601 UTC. */
  at: string;
  kind: string;
  message: string;
  detail: Record<string, unknown>;
}

/** A row as clients get it. (The row's type is not named here: clients get this file's declarations, see contract.ts.) */
export function toRunEventView(event: Omit<RunEventView, "id" | "at"> & { number: number; at: Date }): RunEventView {
  const { number, at, kind, message, detail } = event;
  return { id: String(number), at: at.toISOString(), kind, message, detail };
}
