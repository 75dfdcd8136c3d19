import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Faults, faultTable } from "./faults.ts";
import { type Answer, jsonAnswer, textAnswer } from "./http/answer.ts";
import { readBody, tooLargeAnswer } from "./http/request-body.ts";
import { sendAnswer } from "./http/send.ts";
import { readVariables } from "./variable.ts";

/** What the control endpoint may do to a simulator. */
export interface Controlled {
  readonly faults: Readonly<Faults>;
  readonly setFaults: (faults: Partial<Faults>) => void;
  readonly respawnWorker: () => void;
}

/**
 * Makes the server through which a test makes things go wrong while the simulator runs: `GET /faults`, `PATCH /faults`
 * (JSON: any of the faults by their names), `POST /respawn`. It has a port of its own, so that no path leads to it.
 */
export function createControlServer(controlled: Controlled): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const found = await answerControl(controlled, request).catch((error) => textAnswer(400, String(error)));
    sendAnswer(response, found, "camel");
  };
  return createServer((request, response) => void answer(request, response));
}

async function answerControl(controlled: Controlled, request: IncomingMessage): Promise<Answer> {
  switch (`${request.method} ${request.url}`) {
    case "GET /faults":
      return jsonAnswer(200, controlled.faults);
    case "PATCH /faults": {
      const body = await readBody(request);
      if (body === undefined) return tooLargeAnswer;
      controlled.setFaults(parseFaults(JSON.parse(body)));
      return jsonAnswer(200, controlled.faults);
    }
    case "POST /respawn":
      controlled.respawnWorker();
      return { status: 204 };
    default:
      return textAnswer(404, "GET /faults, PATCH /faults, POST /respawn");
  }
}

/** @throws {Error} naming every fault that there is not, and every value that cannot be read */
function parseFaults(given: Readonly<Record<string, unknown>>): Partial<Faults> {
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(faultTable, key));
  const table = Object.fromEntries(
    Object.entries(faultTable).flatMap(([key, row]) =>
      Object.hasOwn(given, key) ? [[key, { ...row, name: key }]] : [],
    ),
  );
  const texts = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, String(value)]));
  const { values, mistakes } = readVariables(table, texts);
  const all = [...mistakes, ...unknown.map((key) => `${key}: there is no such fault`)];
  if (all.length > 0) throw new Error(all.join("\n"));
  return values;
}
