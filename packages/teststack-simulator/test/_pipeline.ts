import { connect } from "node:net";
import { text } from "node:stream/consumers";

/**
 * Sends several requests in one piece over one connection, so that the server has them in this order and at once, and
 * gives all that it answers until the connection ends.
 */
export async function sendPipeline(url: string, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const requests = lines.map((line, at) => {
    const closing = at === lines.length - 1 ? "Connection: close\r\n" : "";
    return `${line} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 0\r\n${closing}\r\n`;
  });
  socket.write(requests.join(""));
  return text(socket.setEncoding("latin1"));
}
