import { createServer } from "node:net";

/** @throws {Error} a sentence that says which port is taken and which variable changes it */
export async function requireFreePort(port: number, variable: string): Promise<void> {
  const free = await listen(port).catch((error: NodeJS.ErrnoException) => error);
  if (typeof free === "number") return;
  const why = free.code === "EADDRINUSE" ? "is in use" : `cannot be used (${free.code})`;
  throw new Error(
    `Port ${port} ${why}. Set ${variable} to another one, as: ${variable}=${port + 1} npx -y pnpm@10 start`,
  );
}

export async function findFreePort(): Promise<number> {
  return listen(0);
}

async function listen(port: number): Promise<number> {
  const server = createServer().listen(port, "127.0.0.1");
  await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return address.port;
}
