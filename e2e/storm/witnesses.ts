import { readFile } from 'node:fs/promises';
import type { Daemon } from '../harness/daemon.js';
import { OWN_NETWORK, Pod, readLog } from '../harness/pod.js';

/** One process, which waits without a helper. */
const COUNT = ['sh', '-c', 'i=0; while :; do echo $((i=i+1)); read -t 1 line; done'];

/** Pods that nobody harms: whatever happens to the daemon, they run, answer and log without a gap. */
export class Witnesses {
  readonly #pods: Pod[] = [];
  readonly #containers: string[] = [];

  async start(daemon: Daemon, image: string, count: number): Promise<void> {
    for (let left = count; left > 0; left--) {
      const pod = await Pod.run(daemon, { linux: OWN_NETWORK });
      this.#pods.push(pod);
      this.#containers.push(await pod.start(image, { command: COUNT, stdin: true }));
    }
  }

  get ids(): string[] {
    return this.#pods.map(({ id }) => id);
  }

  /** Pids of their supervisors. */
  async supervisors(daemon: Daemon): Promise<number[]> {
    const pids = this.#pods.map(async ({ id: podSandboxId }) => {
      const { info } = await daemon.cri.podSandboxStatus({ podSandboxId, verbose: true });
      return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
    });
    return Promise.all(pids);
  }

  /** What is wrong with them. */
  async complaints(): Promise<string[]> {
    const found = await Promise.all(this.#pods.map((pod, index) => complaintsOf(pod, this.#containers[index] ?? '')));
    return found.flat();
  }

  async remove(): Promise<void> {
    for (const pod of this.#pods) await pod.remove();
  }
}

const complaintsOf = async (pod: Pod, container: string): Promise<string[]> => {
  const { state, logPath } = await pod.status(container);
  if (state !== 'CONTAINER_RUNNING') return [`a witness is ${state}: ${container}`];
  const { code } = await pod.exec(container, 'true');
  // The last line may be half written.
  const whole = (await readFile(logPath, 'utf8')).endsWith('\n');
  const lines = (await readLog(logPath)).slice(0, whole ? undefined : -1);
  const gap = lines.findIndex(({ text }, index) => text !== String(index + 1));
  return [
    ...(code === 0 ? [] : [`an exec in a witness ended with ${code}: ${container}`]),
    ...(gap < 0 ? [] : [`a log has a gap at line ${gap + 1}: ${container}`]),
  ];
};
