import { type ConnectionOptions, connect } from "node:tls";

const PATIENCE_MS = 20_000;

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Sends bytes over a new TLS connection, reads until the other side closes, and parses the (last) answer. */
export async function exchange(request: string | Buffer, tls: ConnectionOptions): Promise<Answer> {
  const socket = connect({ host: "127.0.0.1", rejectUnauthorized: false, ...tls });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise<void>((resolve, reject) => {
    socket.once("close", () => resolve());
    // The answer may come before the request is through, and the other side close upon it.
    socket.once("error", (error) => (chunks.length > 0 ? resolve() : reject(error)));
  });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)));
  socket.write(request);
  await closed;
  return parseAnswer(Buffer.concat(chunks).toString("latin1"));
}

function parseAnswer(received: string): Answer {
  const [head = "", ...rest] = received.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  if (status === 100) return parseAnswer(rest.join("\r\n\r\n"));
  const headers = Object.fromEntries(
    lines.map((line) => [line.split(": ")[0]?.toLowerCase(), line.slice(line.indexOf(": ") + 2)]),
  );
  return { status, headers, body: rest.join("\r\n\r\n") };
}
