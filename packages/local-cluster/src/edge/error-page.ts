import { type ServerResponse, STATUS_CODES } from "node:http";

/** Answers about the connection rather than the request: a new connection may fare better, so this one ends. */
const CLOSING = new Set([400, 403, 408, 421]);

function errorPage(status: number, detail: string | undefined): string {
  const title = `${status} ${STATUS_CODES[status]}`;
  const head = detail === undefined ? title : `${status} ${detail}`;
  const said = detail === undefined ? "" : `<center>${detail}</center>\r\n`;
  return `<html>\r\n<head><title>${head}</title></head>\r\n<body>\r\n<center><h1>${title}</h1></center>\r\n${said}<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n`;
}

/** Answers with one of nginx's own error pages, unless an answer is already under way; `detail` says what is wrong in particular. */
export function sendErrorPage(response: ServerResponse, status: number, detail?: string): void {
  if (response.headersSent || response.destroyed) return;
  const body = errorPage(status, detail);
  response.writeHead(status, {
    "Content-Type": "text/html",
    "Content-Length": Buffer.byteLength(body),
    ...(CLOSING.has(status) && { Connection: "close" }),
  });
  response.end(body);
}

/** The same as bytes, for a request that was too broken to become one. */
export function rawErrorPage(status: number): string {
  const body = errorPage(status, undefined);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...["Content-Type: text/html", `Content-Length: ${Buffer.byteLength(body)}`, "Connection: close"],
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
