export {
  countIdleSeconds,
  type IdlePolicy,
  type IdleSignals,
  type IdleVerdict,
  isWarningDue,
  judgeIdle,
} from "./idle.ts";
export { type FailureReason, nextStep, type Step } from "./next-step.ts";
export type { Limits, Phase, PodCondition, PodLoss, RunnerLoss, RunSituation, Situation } from "./situation.ts";
