import type { ColumnType, Generated, Selectable } from "kysely";

/** A run's result, kept whole: the runner's zip, or a partial one of what could still be told. */
export interface ArtifactTable {
  id: Generated<string>;
  run_id: string;
  kind: "complete" | "partial";
  file_name: string;
  content_type: string;
  /** Bytes. */
  size: ColumnType<string, number, number>;
  /** Hex. */
  sha256: string;
  created_at: Generated<Date>;
}

/** Chunk `number` holds the bytes from `number * ARTIFACT_CHUNK_BYTES` on; all but the last are full. */
export interface ArtifactChunkTable {
  artifact_id: string;
  number: number;
  data: Buffer;
}

export type Artifact = Selectable<ArtifactTable>;
