import { z } from "zod";
import {
  dataKey,
  dnsLabel,
  exactlyOneOf,
  objectName,
  portName,
  portNumber,
  positive,
  quantity,
  seconds,
  userId,
  variableName,
} from "./value-forms.ts";

const keyReference = z.strictObject({ name: objectName, key: dataKey, optional: z.boolean().optional() });

const variable = z
  .strictObject({
    name: variableName,
    value: z.string().optional(),
    valueFrom: z
      .strictObject({
        fieldRef: z.strictObject({ fieldPath: z.string().min(1) }).optional(),
        configMapKeyRef: keyReference.optional(),
        secretKeyRef: keyReference.optional(),
      })
      .refine(...exactlyOneOf("fieldRef", "configMapKeyRef", "secretKeyRef"))
      .optional(),
  })
  .refine(...exactlyOneOf("value", "valueFrom"));

const probePort = z.union([portNumber, portName], {
  error: "must be a port number or the name of one of the container's ports",
});

const probe = z
  .strictObject({
    httpGet: z
      .strictObject({ path: z.string().optional(), port: probePort, scheme: z.enum(["HTTP", "HTTPS"]).optional() })
      .optional(),
    tcpSocket: z.strictObject({ port: probePort }).optional(),
    exec: z.strictObject({ command: z.array(z.string()).min(1) }).optional(),
    initialDelaySeconds: seconds.optional(),
    periodSeconds: positive.optional(),
    timeoutSeconds: positive.optional(),
    successThreshold: positive.optional(),
    failureThreshold: positive.optional(),
  })
  .refine(...exactlyOneOf("httpGet", "tcpSocket", "exec"))
  .meta({ id: "Probe" });

const amounts = z.strictObject({
  cpu: quantity.optional(),
  memory: quantity.optional(),
  "ephemeral-storage": quantity.optional(),
});

/** Which system calls a container, or all of a Pod's containers, may make. */
export const seccompProfile = z.strictObject({
  type: z.enum(["RuntimeDefault", "Localhost", "Unconfined"]),
  localhostProfile: z.string().optional(),
});

const capabilities = z.array(z.string().min(1)).optional();

/** What every container has, the one-shot ones too. */
const commonFields = {
  name: dnsLabel,
  image: dataKey.meta({ description: "Key of the images of each version." }),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).optional(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  workingDir: z.string().optional(),
  env: z.array(variable).optional(),
  resources: z.strictObject({ requests: amounts.optional(), limits: amounts.optional() }).optional(),
  volumeMounts: z
    .array(
      z.strictObject({
        name: dnsLabel,
        mountPath: z.string().regex(/^\/[^:]*$/, "must be an absolute path without a colon"),
        subPath: z.string().optional(),
        readOnly: z.boolean().optional(),
      }),
    )
    .optional(),
  securityContext: z
    .strictObject({
      allowPrivilegeEscalation: z.boolean().optional(),
      readOnlyRootFilesystem: z.boolean().optional(),
      runAsNonRoot: z.boolean().optional(),
      runAsUser: userId.optional(),
      runAsGroup: userId.optional(),
      capabilities: z.strictObject({ add: capabilities, drop: capabilities }).optional(),
      seccompProfile: seccompProfile.optional(),
    })
    .optional(),
};

/** A container that ends before the others start. It has no probes: Kubernetes refuses them there. */
export const initContainer = z.strictObject(commonFields).meta({ id: "InitContainer" });

/** A container that runs as long as its Pod. */
export const container = z
  .strictObject({
    ...commonFields,
    ports: z
      .array(
        z.strictObject({
          name: portName.optional(),
          containerPort: portNumber,
          protocol: z.enum(["TCP", "UDP"]).optional(),
        }),
      )
      .optional(),
    startupProbe: probe.optional(),
    readinessProbe: probe.optional(),
    livenessProbe: probe.optional(),
  })
  .meta({ id: "Container" });
