import { setTimeout as sleep } from 'node:timers/promises';
import type { PodSandboxConfig } from '../../src/gen/runtime/v1/PodSandboxConfig.js';
import type { Node } from '../harness/node.js';
import { containerConfig, OWN_NETWORK, podConfig } from '../harness/pod.js';
import { PATIENCE } from '../harness/wait.js';
import type { Random } from './random.js';
import type { Tally } from './tally.js';

/** In which a stop or a removal has to succeed, whatever goes on. */
const END_MS = 60_000;
const CALL_MS = 10_000;

const PROGRAMS = [
  ['sleep', '1000'],
  ['sh', '-c', 'exit 3'],
  ['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do echo line $((i=i+1)); done; sleep 1000'],
  ['sh', '-c', 'sleep 0.2 & wait; exit 0'],
  ['sh', '-c', 'while :; do (sleep 0.05) & wait; done'],
] as const;

const SHARED = { securityContext: { namespaceOptions: { network: 'NODE', pid: 'POD', ipc: 'POD' } } } as const;

/** A client that makes pods and containers, looks at them and removes them; now and then it goes before it has its answer. */
export class Churn {
  constructor(
    private readonly node: Node,
    private readonly random: Random,
    private readonly tally: Tally,
  ) {}

  /** The life of one pod. Nothing is left of it. */
  async round(): Promise<void> {
    const { random } = this;
    const config = podConfig(this.node.daemon, { linux: random.pick([OWN_NETWORK, OWN_NETWORK, SHARED, {}]) });
    const podSandboxId = await this.#run(config);
    if (podSandboxId !== undefined) {
      const containers: string[] = [];
      for (let left = 1 + random.below(3); left > 0; left--) {
        const id = await this.#container(podSandboxId, config);
        if (id !== undefined) containers.push(id);
      }
      for (const id of containers) await this.#use(id);
      if (random.chance(50)) await sleep(random.below(400));
      for (const containerId of containers)
        if (random.chance(30))
          await this.#call('StopContainer', () =>
            this.node.daemon.cri.stopContainer({ containerId, timeout: random.below(2) }),
          );
    }
    await this.#end(config);
  }

  /** A request that was cut off is repeated once, as the kubelet does. */
  async #run(config: PodSandboxConfig): Promise<string | undefined> {
    const run = () => this.#call('RunPodSandbox', (options) => this.node.daemon.cri.runPodSandbox({ config }, options));
    const made = (await run()) ?? (await run());
    return made?.podSandboxId;
  }

  async #container(podSandboxId: string, sandboxConfig: PodSandboxConfig): Promise<string | undefined> {
    const { cri } = this.node.daemon;
    const command = [...this.random.pick(PROGRAMS)];
    const { namespaceOptions = null } = sandboxConfig.linux?.securityContext ?? {};
    const config = containerConfig(this.node.busybox, { command, security: { namespaceOptions } });
    const request = { podSandboxId, sandboxConfig, config };
    const made = await this.#call('CreateContainer', (options) => cri.createContainer(request, options));
    if (!made) return undefined;
    const { containerId } = made;
    await this.#call('StartContainer', (options) => cri.startContainer({ containerId }, options));
    return containerId;
  }

  async #use(containerId: string): Promise<void> {
    const { random } = this;
    const { cri } = this.node.daemon;
    for (let left = random.below(4); left > 0; left--) {
      const cmd = [...random.pick([['true'], ['sh', '-c', 'echo out; echo err >&2; exit 1'], ['sleep', '3']])];
      await this.#call('ExecSync', (options) => cri.execSync({ containerId, cmd, timeout: 1 }, options));
    }
    await this.#call('ContainerStatus', () => cri.containerStatus({ containerId, verbose: true }));
    await this.#call('ListContainerStats', () => cri.listContainerStats({}));
  }

  /** Every sandbox of this name, also one of which nobody was told. */
  async #end(config: PodSandboxConfig): Promise<void> {
    const { cri } = this.node.daemon;
    const deadline = Date.now() + END_MS * PATIENCE;
    const uid = config.metadata?.uid ?? '';
    const own = async () =>
      (await cri.listPodSandbox({})).items.filter(({ metadata }) => metadata?.uid === uid).map(({ id }) => id);
    for (;;) {
      const left = await this.tally.attempt('ListPodSandbox', own);
      if (left?.length === 0) return;
      for (const podSandboxId of left ?? []) {
        if (this.random.chance(80))
          await this.tally.attempt('StopPodSandbox', () => cri.stopPodSandbox({ podSandboxId }));
        await this.tally.attempt('RemovePodSandbox', () => cri.removePodSandbox({ podSandboxId }));
      }
      if (Date.now() > deadline) {
        this.tally.faults.push(`still there after ${END_MS * PATIENCE} ms: pod sandboxes ${left?.join(', ')}`);
        return;
      }
      await sleep(50);
    }
  }

  /** One client in eight is gone before it is answered. */
  #call<T>(what: string, call: (options: { signal?: AbortSignal; deadlineMs: number }) => Promise<T>) {
    const gone = this.random.chance(12) ? AbortSignal.timeout(this.random.below(60)) : undefined;
    return this.tally.attempt(what, () => call({ deadlineMs: CALL_MS, ...(gone && { signal: gone }) }));
  }
}
