import { afterAll, beforeAll, describe } from "vitest";
import { describeAdmission } from "./_admission.ts";
import { describeClosure } from "./_closure.ts";
import { type IngressNginx, openIngressNginx } from "./_ingress-nginx.ts";
import { describePaths } from "./_paths.ts";
import { describeVerification } from "./_verification.ts";

let edge: IngressNginx;

beforeAll(async () => {
  edge = await openIngressNginx();
}, 900_000);
afterAll(() => edge[Symbol.asyncDispose]());

describe("ingress-nginx", () => {
  describeVerification(() => edge);
  describePaths(() => edge);
  describeClosure(() => edge);
  describeAdmission(() => edge);
});
