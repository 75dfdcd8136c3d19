import { z } from "zod";
import { seccompProfile } from "./container.ts";
import {
  annotations,
  dataKey,
  dnsLabel,
  exactlyOneOf,
  labels,
  objectName,
  quantity,
  seconds,
  userId,
} from "./value-forms.ts";

const fileMode = z.int().min(0).max(0o777, "must be at most 0777: write it with the leading zero").optional();

const files = {
  items: z.array(z.strictObject({ key: dataKey, path: z.string().min(1), mode: fileMode })).optional(),
  defaultMode: fileMode,
  optional: z.boolean().optional(),
};

const volume = z
  .strictObject({
    name: dnsLabel,
    emptyDir: z.strictObject({ medium: z.enum(["", "Memory"]).optional(), sizeLimit: quantity.optional() }).optional(),
    configMap: z.strictObject({ name: objectName, ...files }).optional(),
    secret: z.strictObject({ secretName: objectName, ...files }).optional(),
  })
  .refine(...exactlyOneOf("emptyDir", "configMap", "secret"));

const toleration = z.strictObject({
  key: z.string().optional(),
  operator: z.enum(["Exists", "Equal"]).optional(),
  value: z.string().optional(),
  effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]).optional(),
  tolerationSeconds: z.int().optional(),
});

/** Fields of the Pod that go into it as they are. */
export const podFields = {
  volumes: z.array(volume).optional().meta({
    description: "ConfigMaps and Secrets are those of the namespace in which the instances run.",
  }),
  imagePullSecrets: z.array(z.strictObject({ name: objectName })).optional(),
  terminationGracePeriodSeconds: seconds.optional(),
  securityContext: z
    .strictObject({
      runAsNonRoot: z.boolean().optional(),
      runAsUser: userId.optional(),
      runAsGroup: userId.optional(),
      fsGroup: userId.optional(),
      fsGroupChangePolicy: z.enum(["OnRootMismatch", "Always"]).optional(),
      supplementalGroups: z.array(userId).optional(),
      seccompProfile: seccompProfile.optional(),
    })
    .optional(),
  nodeSelector: labels.optional(),
  tolerations: z.array(toleration).optional(),
};

/** Labels and annotations of the Pod. */
export const podMetadata = { labels: labels.optional(), annotations: annotations.optional() };
