import { readFile } from 'node:fs/promises';
import type { Config } from '../config.js';
import { compileExecPlan } from '../oci/compile-plan.js';
import type { PlanOp } from '../oci/plan.js';
import type { OciSpec } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { specPath } from './paths.js';
import type { SeccompFilters } from './seccomp-filters.js';

/**
 * What a further process of a container gets, compiled once, from the container's own specification: exec probes come every few
 * seconds, and only their command differs. A restarted daemon finds the specification in config.json.
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

  /** To be called when a container is made, with its specification at hand. */
  prepare(containerId: string, spec: OciSpec): PlanOp[] {
    const seccompFilter = spec.linux.seccomp && this.filters.get(spec.linux.seccomp);
    const plan = compileExecPlan(spec, { argv: [], tty: false, seccompFilter });
    this.#plans.set(containerId, plan);
    return plan;
  }

  /** To be called when a container is removed. */
  forget(containerId: string): void {
    this.#plans.delete(containerId);
  }

  async #compile(sandboxId: string, id: string): Promise<PlanOp[]> {
    const text = await readFile(specPath(this.config, sandboxId, id), 'utf8');
    return this.prepare(id, JSON.parse(text) as OciSpec);
  }
}
