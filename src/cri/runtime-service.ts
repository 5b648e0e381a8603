import type { Runtime } from '../lifecycle/runtime.js';
import { attach } from './attach.js';
import { createContainerRpc } from './container-create.js';
import { getContainerEvents } from './container-events.js';
import { listContainers, streamContainers } from './container-list.js';
import { removeContainerRpc } from './container-remove.js';
import { reopenContainerLog } from './container-reopen-log.js';
import { startContainerRpc } from './container-start.js';
import { containerStats } from './container-stats.js';
import { listContainerStats, streamContainerStats } from './container-stats-list.js';
import { containerStatus } from './container-status.js';
import { stopContainerRpc } from './container-stop.js';
import { updateContainerResources } from './container-update.js';
import { exec } from './exec.js';
import { execSyncRpc } from './exec-sync.js';
import { listMetricDescriptors } from './metric-descriptors-list.js';
import { portForward } from './port-forward.js';
import type { Rpcs } from './rpc.js';
import { runtimeConfig } from './runtime-config.js';
import { updateRuntimeConfigRpc } from './runtime-config-update.js';
import { listPodSandbox, streamPodSandboxes } from './sandbox-list.js';
import { removePodSandbox } from './sandbox-remove.js';
import { runPodSandbox } from './sandbox-run.js';
import { listPodSandboxMetrics, streamPodSandboxMetrics } from './sandbox-metrics-list.js';
import { podSandboxStats } from './sandbox-stats.js';
import { listPodSandboxStats, streamPodSandboxStats } from './sandbox-stats-list.js';
import { podSandboxStatus } from './sandbox-status.js';
import { stopPodSandbox } from './sandbox-stop.js';
import { updatePodSandboxResources } from './sandbox-update.js';
import { status } from './status.js';
import { version } from './version.js';

/** RuntimeService: one line and one file an RPC. What is missing here answers UNIMPLEMENTED. */
export const runtimeService = (runtime: Runtime): Rpcs => ({
  unary: {
    Version: () => version(runtime),
    Status: (request) => status(runtime, request),
    RuntimeConfig: () => runtimeConfig(runtime),
    UpdateRuntimeConfig: (request) => updateRuntimeConfigRpc(runtime, request),
    RunPodSandbox: (request) => runPodSandbox(runtime, request),
    StopPodSandbox: (request) => stopPodSandbox(runtime, request),
    RemovePodSandbox: (request) => removePodSandbox(runtime, request),
    PodSandboxStatus: (request) => podSandboxStatus(runtime, request),
    ListPodSandbox: (request) => listPodSandbox(runtime, request),
    CreateContainer: (request) => createContainerRpc(runtime, request),
    StartContainer: (request, signal) => startContainerRpc(runtime, request, signal),
    StopContainer: (request) => stopContainerRpc(runtime, request),
    RemoveContainer: (request) => removeContainerRpc(runtime, request),
    ContainerStatus: (request) => containerStatus(runtime, request),
    ListContainers: (request) => listContainers(runtime, request),
    UpdatePodSandboxResources: (request) => updatePodSandboxResources(runtime, request),
    UpdateContainerResources: (request) => updateContainerResources(runtime, request),
    ReopenContainerLog: (request) => reopenContainerLog(runtime, request),
    ExecSync: (request, signal) => execSyncRpc(runtime, request, signal),
    Exec: (request) => exec(runtime, request),
    Attach: (request) => attach(runtime, request),
    PortForward: (request) => portForward(runtime, request),
    ContainerStats: (request) => containerStats(runtime, request),
    ListContainerStats: (request) => listContainerStats(runtime, request),
    ListMetricDescriptors: listMetricDescriptors,
    ListPodSandboxMetrics: (request) => listPodSandboxMetrics(runtime, request),
    PodSandboxStats: (request) => podSandboxStats(runtime, request),
    ListPodSandboxStats: (request) => listPodSandboxStats(runtime, request),
  },
  streams: {
    GetContainerEvents: (request, signal) => getContainerEvents(runtime, request, signal),
    StreamPodSandboxes: (request) => streamPodSandboxes(runtime, request),
    StreamContainers: (request) => streamContainers(runtime, request),
    StreamContainerStats: (request) => streamContainerStats(runtime, request),
    StreamPodSandboxMetrics: (request) => streamPodSandboxMetrics(runtime, request),
    StreamPodSandboxStats: (request) => streamPodSandboxStats(runtime, request),
  },
});
