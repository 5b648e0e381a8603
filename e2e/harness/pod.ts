import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerConfig } from '../../src/gen/runtime/v1/ContainerConfig.js';
import type { ContainerStatus__Output } from '../../src/gen/runtime/v1/ContainerStatus.js';
import type { LinuxContainerResources } from '../../src/gen/runtime/v1/LinuxContainerResources.js';
import type { LinuxContainerSecurityContext } from '../../src/gen/runtime/v1/LinuxContainerSecurityContext.js';
import type { PodSandboxConfig } from '../../src/gen/runtime/v1/PodSandboxConfig.js';
import type { Cri } from './client.js';
import type { Daemon } from './daemon.js';
import { until } from './wait.js';

const NODE_NETWORK = { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } as const;

/** A pod on the host's network unless told otherwise: most tests need no CNI plugin to run. */
export const podConfig = (daemon: Pick<Daemon, 'logs'>, over: Partial<PodSandboxConfig> = {}): PodSandboxConfig => {
  const uid = randomBytes(8).toString('hex');
  const name = over.metadata?.name ?? `pod-${uid}`;
  return {
    metadata: { name, uid, namespace: 'e2e', attempt: 0 },
    hostname: 'raft',
    logDirectory: join(daemon.logs, uid),
    ...over,
    linux: {
      ...over.linux,
      // Tests put privileged containers into any pod, which a sandbox has to know beforehand.
      securityContext: { namespaceOptions: NODE_NETWORK, privileged: true, ...over.linux?.securityContext },
    },
  };
};

/** The namespaces of a pod that the CNI plugins connect. */
export const OWN_NETWORK = {
  securityContext: { namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } },
} as const;

export interface ContainerOptions extends Partial<Omit<ContainerConfig, 'image' | 'linux' | 'envs'>> {
  env?: Record<string, string>;
  resources?: LinuxContainerResources;
  security?: LinuxContainerSecurityContext;
}

let made = 0;

export const containerConfig = (
  image: string,
  { env = {}, resources, security, ...over }: ContainerOptions = {},
): ContainerConfig => {
  const name = over.metadata?.name ?? `container-${++made}`;
  return {
    metadata: { name, attempt: 0 },
    image: { image },
    envs: Object.entries(env).map(([key, value]) => ({ key, value: Buffer.from(value) })),
    logPath: `${name}.log`,
    linux: { resources: resources ?? {}, securityContext: { namespaceOptions: NODE_NETWORK, ...security } },
    ...over,
  };
};

export interface ExecResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A running sandbox and what tests do with it. */
export class Pod {
  readonly #cri: Cri;

  private constructor(
    daemon: Pick<Daemon, 'cri'>,
    readonly id: string,
    readonly config: PodSandboxConfig,
  ) {
    this.#cri = daemon.cri;
  }

  static async run(
    daemon: Pick<Daemon, 'cri' | 'logs'>,
    over: Partial<PodSandboxConfig> = {},
    runtimeHandler = '',
  ): Promise<Pod> {
    const config = podConfig(daemon, over);
    const { podSandboxId } = await daemon.cri.runPodSandbox({ config, runtimeHandler });
    return new Pod(daemon, podSandboxId, config);
  }

  async create(image: string, options: ContainerOptions = {}): Promise<string> {
    // As the kubelet does: a container is told the namespaces of its pod.
    const { namespaceOptions } = this.config.linux?.securityContext ?? {};
    const config = containerConfig(image, { ...options, security: { namespaceOptions, ...options.security } });
    const { containerId } = await this.#cri.createContainer({
      podSandboxId: this.id,
      config,
      sandboxConfig: this.config,
    });
    return containerId;
  }

  async start(image: string, options: ContainerOptions = {}): Promise<string> {
    const containerId = await this.create(image, options);
    await this.#cri.startContainer({ containerId });
    return containerId;
  }

  /** Starts a container and waits for its end; answers its status and its log. */
  async complete(
    image: string,
    options: ContainerOptions = {},
  ): Promise<{ status: ContainerStatus__Output; output: string }> {
    const id = await this.start(image, options);
    const status = await this.exited(id);
    const lines = status.logPath ? await readLog(status.logPath) : [];
    return { status, output: lines.map(({ tag, text }) => text + (tag === 'F' ? '\n' : '')).join('') };
  }

  async status(containerId: string): Promise<ContainerStatus__Output> {
    const { status } = await this.#cri.containerStatus({ containerId });
    if (!status) throw new Error(`no status of ${containerId}`);
    return status;
  }

  exited(containerId: string, deadlineMs?: number): Promise<ContainerStatus__Output> {
    const ended = async () => {
      const status = await this.status(containerId);
      return status.state === 'CONTAINER_EXITED' && status;
    };
    return until(`exit of ${containerId}`, ended, deadlineMs);
  }

  async exec(containerId: string, ...cmd: string[]): Promise<ExecResult> {
    const { exitCode, stdout, stderr } = await this.#cri.execSync({ containerId, cmd, timeout: 20 });
    return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  async remove(): Promise<void> {
    await this.#cri.stopPodSandbox({ podSandboxId: this.id });
    await this.#cri.removePodSandbox({ podSandboxId: this.id });
  }
}

export interface LogLine {
  time: string;
  stream: string;
  tag: string;
  text: string;
}

/** A log in CRI format; a line that is not in the format is an error. */
export const readLog = async (path: string): Promise<LogLine[]> => {
  const content = await readFile(path, 'utf8');
  if (content === '') return [];
  if (!content.endsWith('\n')) throw new Error(`${path} does not end with a newline`);
  return content.slice(0, -1).split('\n').map(parseLine);
};

const parseLine = (line: string): LogLine => {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP]) (.*)$/s.exec(line);
  if (!match) throw new Error(`not a line in CRI format: ${line}`);
  const [, time = '', stream = '', tag = '', text = ''] = match;
  return { time, stream, tag, text };
};
