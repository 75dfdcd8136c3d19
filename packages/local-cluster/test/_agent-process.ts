import { once } from "node:events";
import { startNodeAgent } from "../src/node-agent/node-agent.ts";
import { agentOptions } from "./_agent-options.ts";
import { connectCluster } from "./_remote-cluster.ts";

/** A node agent as a process of its own: `_agent-process.ts <folder> <options as JSON>`; stops at SIGTERM. */
// Listened for first: whoever hears that the agent is ready may send it at once.
const stopped = once(process, "SIGTERM");
const [folder = "", options = "{}"] = process.argv.slice(2);
const agent = await startNodeAgent(agentOptions(connectCluster(), folder, JSON.parse(options)));
process.send?.({ ready: true });
await stopped;
await agent[Symbol.asyncDispose]();
process.disconnect();
