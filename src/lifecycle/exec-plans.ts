import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.js';
import { compileExecPlan } from '../oci/compile-plan.js';
import type { PlanOp } from '../oci/plan.js';
import type { OciSpec } from '../oci/spec.js';
import { containerDirectory } from './paths.js';
import type { SeccompFilters } from './seccomp-filters.js';

/**
 * What a further process of a container gets, compiled from the container's own config.json when it is first asked for: exec probes
 * come every few seconds, and only their command differs.
 */
export class ExecPlans {
  readonly #plans = new Map<string, PlanOp[]>();

  constructor(
    private readonly config: Pick<Config, 'root'>,
    private readonly filters: SeccompFilters,
  ) {}

  async get(containerId: string, argv: string[]): Promise<PlanOp[]> {
    const plan = this.#plans.get(containerId) ?? (await this.#compile(containerId));
    return plan.map((op) => (op.op === 'exec' ? { ...op, argv } : op));
  }

  /** To be called when a container is removed. */
  forget(containerId: string): void {
    this.#plans.delete(containerId);
  }

  async #compile(containerId: string): Promise<PlanOp[]> {
    const text = await readFile(join(containerDirectory(this.config, containerId), 'config.json'), 'utf8');
    const spec = JSON.parse(text) as OciSpec;
    const seccompFilter = spec.linux.seccomp && this.filters.get(spec.linux.seccomp);
    const plan = compileExecPlan(spec, { argv: [], tty: false, seccompFilter });
    this.#plans.set(containerId, plan);
    return plan;
  }
}
