import { readFile } from 'node:fs/promises';
import type { Config } from '../config.js';
import { compileExecPlan } from '../oci/compile-plan.js';
import type { PlanOp } from '../oci/plan.js';
import type { OciSpec } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { specPath } from './paths.js';
import type { SeccompFilters } from './seccomp-filters.js';

/**
 * What a further process of a container gets, compiled from the container's own config.json when it is first asked for: exec probes
 * come every few seconds, and only their command differs.
 */
export class ExecPlans {
  readonly #plans = new Map<string, PlanOp[]>();

  constructor(
    private readonly config: Pick<Config, 'state'>,
    private readonly filters: SeccompFilters,
  ) {}

  async get({ id, sandboxId }: Pick<Container, 'id' | 'sandboxId'>, argv: string[]): Promise<PlanOp[]> {
    const plan = this.#plans.get(id) ?? (await this.#compile(sandboxId, id));
    return plan.map((op) => (op.op === 'exec' ? { ...op, argv } : op));
  }

  /** To be called when a container is removed. */
  forget(containerId: string): void {
    this.#plans.delete(containerId);
  }

  async #compile(sandboxId: string, id: string): Promise<PlanOp[]> {
    const text = await readFile(specPath(this.config, sandboxId, id), 'utf8');
    const spec = JSON.parse(text) as OciSpec;
    const seccompFilter = spec.linux.seccomp && this.filters.get(spec.linux.seccomp);
    const plan = compileExecPlan(spec, { argv: [], tty: false, seccompFilter });
    this.#plans.set(id, plan);
    return plan;
  }
}
