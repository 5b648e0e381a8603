import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import type { OciLimits } from '../oci/spec.js';
import type { ContainerState } from '../gen/runtime/v1/ContainerState.js';

/**
 * A container as it is journalled. Its CRI state is derived, never stored:
 *
 *   creating ──▶ CREATED ──startedAt──▶ RUNNING ──finishedAt──▶ EXITED
 *                   └───────── StartContainer failed ─────────────▲
 */
export interface Container {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig__Output;
  /** `creating` and `removing` are invisible in lists; a start-up that finds `creating` rolls it back. */
  readonly stage: 'creating' | 'live' | 'removing';
  readonly image: {
    readonly id: string;
    /** What people call it: its first tag, or else a digest, or else its ID; absent in records of older versions. */
    readonly name?: string;
    readonly ref: string;
    readonly layers: readonly string[];
  };
  /** Images that are mounted as volumes, one for each such mount of the configuration, in its order. */
  readonly imageVolumes: ReadonlyArray<{ readonly id: string; readonly layers: readonly string[] }>;
  readonly createdAt: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Its StartContainer was not there any more to hear that it had started: a repeated one is to be told, even if it has ended since. */
  readonly startUnheard?: boolean;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly pid: number;
  /** An external OCI runtime made it and makes its further processes too. */
  readonly external?: boolean;
  /** Its config.json has hooks, which are ours to run. */
  readonly hooks?: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Signal that StopContainer sends first, as a number. */
  readonly stopSignal: number;
  /** When its grace period ends, in milliseconds since the epoch; absent before it has been sent its stop signal. */
  readonly killAt?: number;
  /** Absolute path of the log on the host; empty when none was asked for. */
  readonly logPath: string;
  readonly cgroupPath: string;
  readonly upperDir: string;
  /** What is in force. */
  readonly limits: OciLimits;
  /** What the CRI has asked for, to be shown. */
  readonly resources: LinuxContainerResources__Output | null;
}

export const hasStarted = ({ startedAt }: Pick<Container, 'startedAt'>): boolean => startedAt !== '0';

/** Also one that never started: it was ended before, or its start failed. */
export const hasEnded = ({ finishedAt }: Pick<Container, 'finishedAt'>): boolean => finishedAt !== '0';

export const containerState = (container: Container): keyof typeof ContainerState => {
  if (hasEnded(container)) return 'CONTAINER_EXITED';
  return hasStarted(container) ? 'CONTAINER_RUNNING' : 'CONTAINER_CREATED';
};

/** The image as lists and dashboards show it: by name, though the kubelet asks for it by ID. */
export const shownImage = ({ config, image }: Pick<Container, 'config' | 'image'>): Container['config']['image'] =>
  config.image && { ...config.image, image: image.name ?? config.image.image };

/** All layers that must stay as long as the container does. */
export const heldLayers = ({ image, imageVolumes }: Pick<Container, 'image' | 'imageVolumes'>): string[] => [
  ...image.layers,
  ...imageVolumes.flatMap(({ layers }) => layers),
];

/** Unique within a sandbox for its lifetime (api.proto, ContainerMetadata). */
export const containerKey = (sandboxId: string, config: ContainerConfig__Output): string =>
  JSON.stringify([sandboxId, config.metadata?.name, config.metadata?.attempt]);
