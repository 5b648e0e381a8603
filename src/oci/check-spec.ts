import { invalidArgument } from '../base/errors.js';
import { checkResources, type LimitsHost } from './check-resources.js';
import type { OciSpec } from './spec.js';

/**
 * What can be wrong with a specification, whoever has written into it.
 * @throws INVALID_ARGUMENT
 */
export function checkSpec({ process, linux }: OciSpec, host: LimitsHost): void {
  const score = process.oomScoreAdj ?? 0;
  if (!Number.isInteger(score) || score < -1000 || score > 1000)
    throw invalidArgument(`not a whole number from -1000 to 1000: oom_score_adj is ${score}`);
  checkResources(linux.resources, host);
}
