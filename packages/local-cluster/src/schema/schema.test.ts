import { expect, test } from "vitest";
import { generateSchema } from "../../test/_schema-generator.ts";
import { resources } from "../resources/table.ts";
import { modelOf } from "./decode.ts";

test("the schema is what the client's models say (`vitest run -u` writes it anew)", async () => {
  const roots = [...resources.map(({ kind }) => modelOf(kind)), "V1Scale", "V1DeleteOptions"];
  await expect(generateSchema(roots)).toMatchFileSnapshot("schema.generated.json");
});
