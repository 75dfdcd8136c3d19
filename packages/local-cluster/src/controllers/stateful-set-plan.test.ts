import { expect, test } from "vitest";
import { type Pod, planSteps, type StatefulSet, type Step } from "./stateful-set-plan.ts";

const OLD = "web-old";
const NEW = "web-new";

function buildSet(spec: object = {}): StatefulSet {
  const template = { metadata: { labels: { app: "web" } } };
  const whole = { replicas: 1, selector: {}, serviceName: "", template, ...spec };
  return { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "web" }, spec: whole };
}

function buildPod(ordinal: number, { ready = true, phase = "Running", revision = NEW, going = false } = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `web-${ordinal}`,
      labels: { "controller-revision-hash": revision },
      ...(going && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    status: { phase, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

const told = (step: Step): string =>
  step.action === "create" ? `create ${step.ordinal}` : `${step.recreate ? "re" : ""}delete ${step.pod.metadata.name}`;

const parallel = { podManagementPolicy: "Parallel" };
const starting = { ready: false, phase: "Pending" };

test.each<[string, object, Pod[], string[]]>([
  ["none is there", {}, [], ["create 0"]],
  ["it is starting", {}, [buildPod(0, starting)], []],
  ["all is well", {}, [buildPod(0)], []],
  ["none is wanted", { replicas: 0 }, [buildPod(0)], ["delete web-0"]],
  ["it is going", {}, [buildPod(0, { going: true })], []],
  ["none is wanted, and it is going", { replicas: 0 }, [buildPod(0, { going: true })], []],
  ["it failed", {}, [buildPod(0, { phase: "Failed", ready: false })], ["redelete web-0"]],
  ["it ended well", {}, [buildPod(0, { phase: "Succeeded", ready: false })], ["redelete web-0"]],
  ["it failed and is going", {}, [buildPod(0, { phase: "Failed", ready: false, going: true })], []],
  ["the first is not ready yet", { replicas: 3 }, [buildPod(0, starting)], []],
  ["the second is wanted", { replicas: 3 }, [buildPod(0)], ["create 1"]],
  ["a middle one is missing", { replicas: 3 }, [buildPod(0), buildPod(2)], ["create 1"]],
  ["two are too many", { replicas: 1 }, [buildPod(0), buildPod(1), buildPod(2)], ["delete web-2"]],
  ["all at once", { replicas: 3, ...parallel }, [buildPod(1, starting)], ["create 0", "create 2"]],
  [
    "all too many at once",
    { replicas: 1, ...parallel },
    [buildPod(0), buildPod(1), buildPod(2)],
    ["delete web-2", "delete web-1"],
  ],
  ["the template has changed", {}, [buildPod(0, { revision: OLD })], ["delete web-0"]],
  [
    "from the last on",
    { replicas: 2 },
    [buildPod(0, { revision: OLD }), buildPod(1, { revision: OLD })],
    ["delete web-1"],
  ],
  ["the last is replaced", { replicas: 2 }, [buildPod(0, { revision: OLD }), buildPod(1)], ["delete web-0"]],
  ["a broken Pod is not replaced by itself", {}, [buildPod(0, { revision: OLD, ready: false })], []],
  ["one that goes by hand", { updateStrategy: { type: "OnDelete" } }, [buildPod(0, { revision: OLD })], []],
  [
    "below the partition",
    { replicas: 2, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } },
    [buildPod(0, { revision: OLD }), buildPod(1, { revision: OLD })],
    ["delete web-1"],
  ],
])("%s", (_, spec, pods, steps) => {
  expect(planSteps(buildSet(spec), pods, NEW).map(told)).toEqual(steps);
});
