export { parseTeststackSpec } from "./parse.ts";
export { buildTeststackSpecSchema, type TeststackSpec } from "./schema.ts";
export { toTemplate } from "./to-template.ts";
