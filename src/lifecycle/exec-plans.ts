import type { Config } from '../base/config.js';
import { runtimeProcessPlan } from '../oci/bundle.js';
import { compileExecPlan } from '../oci/compile-plan.js';
import { oomScoreAdj } from '../oci/resources.js';
import type { OciSpec } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { encodeRuntimeProcessPlan, ExecPlanTemplate } from '../supervisor/plan-encoding.js';
import { readSpec } from './container-spec.js';
import type { SeccompFilters } from './seccomp-filters.js';

type ExecTarget = Pick<Container, 'id' | 'sandboxId' | 'external' | 'config'>;

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

  /** The plan that runs `argv` in the container, as EXEC carries it. One with a terminal is made for a person, anew each time. */
  async get(container: ExecTarget, argv: string[], tty = false): Promise<Uint8Array> {
    const { id } = container;
    if (container.external) return this.#ofRuntime(container, argv, tty);
    if (tty) return this.#template(await this.#spec(container), tty).plan(argv);
    const template = this.#templates.get(id) ?? this.#compile(id, await this.#spec(container));
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

  async #ofRuntime(container: ExecTarget, argv: string[], tty: boolean): Promise<Uint8Array> {
    const spec = await this.#spec(container);
    this.#specs.set(container.id, spec);
    const score = oomScoreAdj(container.config.linux?.resources);
    return encodeRuntimeProcessPlan(runtimeProcessPlan(spec.process, score, argv, tty));
  }

  async #spec(container: ExecTarget): Promise<OciSpec> {
    return this.#specs.get(container.id) ?? (await readSpec(this.config, container));
  }

  #compile(id: string, spec: OciSpec): ExecPlanTemplate {
    const template = this.#template(spec, false);
    this.#specs.delete(id);
    this.#templates.set(id, template);
    return template;
  }

  #template(spec: OciSpec, tty: boolean): ExecPlanTemplate {
    const seccompFilter = spec.linux.seccomp && this.filters.get(spec.linux.seccomp);
    return new ExecPlanTemplate(compileExecPlan(spec, { argv: [], tty, seccompFilter }));
  }
}
