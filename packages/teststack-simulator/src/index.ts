import { fileURLToPath } from "node:url";

export type { Faults } from "./faults.ts";
export { type Simulator, type SimulatorOptions, startSimulator } from "./simulator.ts";

/** Path of the program that runs a simulator as a process: `node --conditions=@cactus/source <simulatorMain>`. */
export const simulatorMain: string = fileURLToPath(new URL(import.meta.url.replace(/index\.(\w+)$/, "main.$1")));

/** Folder of the example procedures: `ALL-01.yaml`, `ALL-02.yaml`, `GEN-01.yaml`. */
export const proceduresDirectory: string = fileURLToPath(new URL("../procedures/", import.meta.url));
