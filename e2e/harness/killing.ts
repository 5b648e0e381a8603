import type { Test } from 'tap';
import type { PodSandboxConfig } from '../../src/gen/runtime/v1/PodSandboxConfig.js';
import { removeCgroups } from './cgroup.js';
import { type KillAt, killAt } from './kill-at.js';
import { type Node, startNode } from './node.js';
import { Pod } from './pod.js';
import { until } from './wait.js';

/** A node on which supervisors are killed between any two of their system calls, and what it holds when there is no pod. */
export class Killing {
  private constructor(
    readonly node: Node,
    readonly killer: KillAt,
    private readonly before: readonly string[],
    private readonly config: Partial<PodSandboxConfig>,
  ) {}

  /** `pid`: of the pods. */
  static async start(t: Pick<Test, 'teardown'>, pid: 'POD' | 'CONTAINER'): Promise<Killing> {
    const node = await startNode(t);
    const killer = await killAt();
    t.teardown(() => killer.remove());
    const config = {
      linux: {
        cgroupParent: `${node.daemon.cgroupParent}/kubelet`,
        securityContext: { namespaceOptions: { network: 'POD', pid, ipc: 'POD' } },
      },
    } as const;
    const pod = await Pod.run(node.daemon, config);
    await pod.create(node.busybox);
    await pod.remove();
    return new Killing(node, killer, await node.daemon.held(), config);
  }

  /** A pod with all that a supervisor makes, in a cgroup that is the kubelet's and therefore not ours to remove. */
  get everything(): Partial<PodSandboxConfig> {
    return this.config;
  }

  async checkNothingIsLeft(t: Pick<Test, 'same'>, call: number): Promise<void> {
    const { daemon } = this.node;
    const held = async () => (await daemon.held()).join('\n');
    // The kernel removes interfaces, and a builder ends, in their own time.
    const gone = await succeeds(until('nothing to be left', async () => (await held()) === this.before.join('\n')));
    if (!gone) t.same(await daemon.held(), this.before, `killed at system call ${call}`);
  }

  async end(t: Pick<Test, 'same' | 'equal'>): Promise<void> {
    await removeCgroups(`${this.node.daemon.cgroupParent}/kubelet`);
    await this.node.daemon.assertNothingLeft(t);
  }
}

export const succeeds = (request: Promise<unknown>): Promise<boolean> =>
  request.then(
    () => true,
    () => false,
  );
