/** A request that is answered by an error page of the edge's own; the message, if any, is shown on it. */
export class RefusedRequest extends Error {
  override readonly name = "RefusedRequest";
  readonly status: number;

  constructor(status: number, detail?: string) {
    super(detail);
    this.status = status;
  }
}
