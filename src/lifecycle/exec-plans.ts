import { readFile } from 'node:fs/promises';
import type { Config } from '../config.js';
import { compileExecPlan } from '../oci/compile-plan.js';
import type { OciSpec } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { ExecPlanTemplate } from '../supervisor/plan-encoding.js';
import { specPath } from './paths.js';
import type { SeccompFilters } from './seccomp-filters.js';

/**
 * What a further process of a container gets, made once, from the container's own specification, and when the first one is asked for:
 * exec probes come every few seconds, and only their command differs.
 */
export class ExecPlans {
  readonly #specs = new Map<string, OciSpec>();
  readonly #templates = new Map<string, ExecPlanTemplate>();

  constructor(
    private readonly config: Pick<Config, 'state'>,
    private readonly filters: SeccompFilters,
  ) {}

  /** The plan that runs `argv` in the container, as EXEC carries it. */
  async get({ id, sandboxId }: Pick<Container, 'id' | 'sandboxId'>, argv: string[]): Promise<Uint8Array> {
    const template =
      this.#templates.get(id) ?? this.#compile(id, this.#specs.get(id) ?? (await this.#read(sandboxId, id)));
    return template.plan(argv);
  }

  /** To be called when a container is made, with its specification at hand; a restarted daemon finds it in config.json. */
  prepare(containerId: string, spec: OciSpec): void {
    this.#specs.set(containerId, spec);
  }

  /** To be called when a container is removed. */
  forget(containerId: string): void {
    this.#specs.delete(containerId);
    this.#templates.delete(containerId);
  }

  async #read(sandboxId: string, id: string): Promise<OciSpec> {
    return JSON.parse(await readFile(specPath(this.config, sandboxId, id), 'utf8')) as OciSpec;
  }

  #compile(id: string, spec: OciSpec): ExecPlanTemplate {
    const seccompFilter = spec.linux.seccomp && this.filters.get(spec.linux.seccomp);
    const template = new ExecPlanTemplate(compileExecPlan(spec, { argv: [], tty: false, seccompFilter }));
    this.#specs.delete(id);
    this.#templates.set(id, template);
    return template;
  }
}
