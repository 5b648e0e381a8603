import type { PodSandboxConfig__Output } from '../gen/runtime/v1/PodSandboxConfig.js';

/**
 * A pod sandbox as it is journalled.
 *
 *   creating ──▶ ready ──▶ stopping ──▶ stopped ──▶ (removed)
 *       └─────────────────────┴──▶ removing ──▶ (removed)
 *
 * CRI knows only READY and NOTREADY; `creating` is not visible at all, so that a client never acts on half a sandbox.
 */
export interface Sandbox {
  readonly id: string;
  readonly config: PodSandboxConfig__Output;
  readonly runtimeHandler: string;
  readonly stage: 'creating' | 'ready' | 'stopping' | 'stopped' | 'removing';
  /** Nanoseconds since the epoch, in decimal. */
  readonly createdAt: string;
  /** Where the network namespace is pinned; empty for the host's network. */
  readonly netnsPath: string;
  /** Pod addresses, the primary one first; empty on the host's network. */
  readonly ips: readonly string[];
  /** cgroup under which the pod's containers live, relative to each hierarchy's root. */
  readonly cgroupParent: string;
  /** SELinux level of its containers; empty or, in records of older versions, absent without SELinux. */
  readonly selinuxLevel?: string;
  /** Supervisor's pid, for people, 0 once it is gone; the connection is what counts. */
  readonly supervisorPid: number;
}

export const sandboxState = (sandbox: Sandbox): 'SANDBOX_READY' | 'SANDBOX_NOTREADY' =>
  sandbox.stage === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY';

/** What makes a sandbox unique: a repeated RunPodSandbox carries the same key (style: name_namespace_uid_attempt). */
export const sandboxKey = (config: PodSandboxConfig__Output): string =>
  JSON.stringify([config.metadata?.name, config.metadata?.namespace, config.metadata?.uid, config.metadata?.attempt]);
