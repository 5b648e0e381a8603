import { explainContainer, explainPod, type ExplainedContainer, type ExplainedPod } from '../lifecycle/explain.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { requiredText } from './check.js';
import type { ControlRequest } from './control-call.js';

export type { ExplainedContainer, ExplainedPod, Use } from '../lifecycle/explain.js';
export type { Passage } from '../lifecycle/timelines.js';

type Parts = Pick<Runtime, 'sandboxes' | 'containers' | 'cgroups' | 'timelines'>;

export const explainPodCall = async (runtime: Parts, { json }: ControlRequest): Promise<ExplainedPod> =>
  explainPod(runtime, requiredText(await json(), 'id'));

export const explainContainerCall = async (runtime: Parts, { json }: ControlRequest): Promise<ExplainedContainer> =>
  explainContainer(runtime, requiredText(await json(), 'id'));
