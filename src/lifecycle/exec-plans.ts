import type { Config } from '../base/config.js';
import type { OciSpec } from '../oci/spec.js';
import type { Container } from '../store/container.js';
import { readSpec } from './container-spec.js';
import { externalProcesses } from './make-external.js';
import { nativeProcesses } from './make-native.js';
import type { ProcessTemplate } from './maker.js';
import type { SeccompFilters } from './seccomp-filters.js';

type ExecTarget = Pick<Container, 'id' | 'sandboxId' | 'external' | 'config'>;

/**
 * What a further process of a container gets, made once, from the container's own specification, and when the first one is asked for:
 * exec probes come every few seconds, and only their command differs.
 */
export class ExecPlans {
  readonly #specs = new Map<string, OciSpec>();
  readonly #templates = new Map<string, ProcessTemplate>();

  constructor(
    private readonly config: Pick<Config, 'state'>,
    private readonly filters: SeccompFilters,
  ) {}

  /** The plan that runs `argv` in the container, as EXEC carries it. One with a terminal is made for a person, anew each time. */
  async get(container: ExecTarget, argv: string[], tty = false): Promise<Uint8Array> {
    const template = tty ? await this.#make(container, tty) : await this.#kept(container);
    return template.plan(argv);
  }

  /** To be called when a container is made, with its specification at hand; a restarted daemon finds it in a file. */
  prepare(containerId: string, spec: OciSpec): void {
    this.#specs.set(containerId, spec);
  }

  /** To be called when a container is removed. */
  forget(containerId: string): void {
    this.#specs.delete(containerId);
    this.#templates.delete(containerId);
  }

  async #kept(container: ExecTarget): Promise<ProcessTemplate> {
    const known = this.#templates.get(container.id);
    if (known) return known;
    const template = await this.#make(container, false);
    this.#specs.delete(container.id);
    this.#templates.set(container.id, template);
    return template;
  }

  async #make(container: ExecTarget, tty: boolean): Promise<ProcessTemplate> {
    const spec = this.#specs.get(container.id) ?? (await readSpec(this.config, container));
    const processes = container.external ? externalProcesses : nativeProcesses;
    return processes(spec, this.filters, tty);
  }
}
