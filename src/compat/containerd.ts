import { failedPrecondition, notFound } from '../base/errors.js';
import type { Rpcs } from '../cri/rpc.js';
import { specInForce } from '../lifecycle/container-spec.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { specText } from '../oci/spec-text.js';
import { type Container, containerState, hasEnded, shownImage } from '../store/container.js';
import { VERSION } from '../version.js';

type Known = Pick<Runtime, 'config' | 'containers'>;

/**
 * The read-only questions by which cAdvisor, and with it the kubelet's /metrics/cadvisor, learns whose cgroup it is looking at
 * (cadvisor, container/containerd/client.go). Nothing can be changed here.
 */
export const containerdServices = (runtime: Known): Record<'containers' | 'tasks' | 'version', Rpcs> => ({
  containers: { unary: { Get: ({ id }: { id: string }) => getContainer(runtime, id) }, streams: {} },
  tasks: { unary: { Get: (request: TaskRequest) => getTask(runtime, request) }, streams: {} },
  version: { unary: { Version: async () => ({ version: VERSION, revision: '' }) }, streams: {} },
});

/** containerd's clients tell containers of the CRI by this label; its other value is `sandbox`, and no cgroup here is a sandbox's. */
const KIND = { 'io.cri-containerd.kind': 'container' };
/** What the specification is registered as in containerd's typeurl. */
const SPEC_TYPE = 'types.containerd.io/opencontainers/runtime-spec/1/Spec';

const getContainer = async (runtime: Known, id: string): Promise<object> => {
  const container = known(runtime, id);
  const spec = await specInForce(runtime.config, container);
  if (!spec) throw failedPrecondition(`no OCI specification is kept: container "${id}"`);
  const { config, createdAt, sandboxId } = container;
  return {
    container: {
      id,
      labels: { ...config.labels, ...KIND },
      image: shownImage(container)?.image ?? '',
      runtime: { name: runtime.config.runtime_name },
      spec: { type_url: SPEC_TYPE, value: Buffer.from(specText(spec)) },
      snapshotter: 'overlayfs',
      snapshotKey: id,
      createdAt: timestamp(createdAt),
      updatedAt: timestamp(createdAt),
      sandbox: sandboxId,
    },
  };
};

interface TaskRequest {
  readonly containerId: string;
  readonly execId: string;
}

const getTask = async (runtime: Known, { containerId, execId }: TaskRequest): Promise<object> => {
  const container = known(runtime, containerId);
  if (execId) throw notFound(`no such process: "${execId}" of container "${containerId}"`);
  const { config, exitCode, finishedAt, pid } = container;
  return {
    process: {
      containerId,
      id: containerId,
      pid,
      status: STATUS[containerState(container)],
      terminal: config.tty,
      exitStatus: exitCode,
      exitedAt: hasEnded(container) ? timestamp(finishedAt) : null,
    },
  };
};

const STATUS = {
  CONTAINER_CREATED: 'CREATED',
  CONTAINER_RUNNING: 'RUNNING',
  CONTAINER_EXITED: 'STOPPED',
  CONTAINER_UNKNOWN: 'UNKNOWN',
} as const;

/** By its whole ID alone: whoever asks has read it from a cgroup's path. */
const known = ({ containers }: Known, id: string): Container => {
  const container = containers.get(id);
  if (container?.stage !== 'live') throw notFound(`no such container: "${id}"`);
  return container;
};

/** google.protobuf.Timestamp of nanoseconds since the epoch. */
const timestamp = (nanoseconds: string): { seconds: string; nanos: number } => ({
  seconds: String(BigInt(nanoseconds) / 1_000_000_000n),
  nanos: Number(BigInt(nanoseconds) % 1_000_000_000n),
});
