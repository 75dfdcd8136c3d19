import type { KubernetesUnderTest } from "@cactus/test-cluster";
import { afterAll, beforeAll, inject } from "vitest";
import { describeContract } from "./_contract.ts";
import { openTarget, type Target } from "./_target.ts";

const { kubeconfig, image }: KubernetesUnderTest = inject("kubernetes");
let target: Target;

beforeAll(async () => {
  target = await openTarget(kubeconfig, image);
});
afterAll(() => target[Symbol.asyncDispose]());

describeContract("a real cluster", () => target);
