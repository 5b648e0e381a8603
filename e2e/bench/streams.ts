import { stat } from 'node:fs/promises';
import { until } from '../harness/wait.js';
import { waitForIdle } from './cpu.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';
import { Taker } from './taker.js';
import { removePod, type RunningPod, startPod } from './workload.js';

const EXEC_MIB = 1024;
const FORWARD_MIB = 1024;
const DEADLINE_MS = 60_000;
const FIRST_PORT = 12_100;

const EXEC: Metric = { name: `Exec: ${EXEC_MIB} MiB of output`, unit: 'MB/s', better: 'more' };
const FORWARD: Metric = { name: `Port-forward: ${FORWARD_MIB} MiB from the pod`, unit: 'MB/s', better: 'more' };

/** The output of an exec and of a forwarded port, through SPDY, taken by a client that does nothing but count. */
export const measureStreams = async (
  services: Service[],
  image: string,
  rounds: number,
  results: Results,
): Promise<void> => {
  for (let round = 0; round < rounds; round++)
    for (const [index, service] of services.entries()) {
      const port = FIRST_PORT + index;
      await service.logged(async () => {
        const pod = await startPod(service, image, ['/serve', String(port), '4', 'source']);
        // Only that there is a line: containerd 1.6 leaves out zeros at the end of its times, which readLog() does not take.
        await until('the source', async () => (await stat(logOf(pod)).catch(() => ({ size: 0 }))).size > 0);
        for (const [metric, mib, open] of [
          [EXEC, EXEC_MIB, () => openExec(service, pod)],
          [FORWARD, FORWARD_MIB, () => openPort(service, pod, port)],
        ] as const) {
          await waitForIdle(2000);
          const taker = await open();
          const cpu = service.account.ms();
          const seconds = await taker.take(mib << 20, DEADLINE_MS);
          results.add(metric, service.name, round, (mib * 1.048576) / seconds, service.account.ms() - cpu);
          taker.destroy();
        }
        await removePod(service, pod.podSandboxId);
      });
    }
};

const logOf = ({ sandboxConfig, logPath }: RunningPod): string => `${sandboxConfig.logDirectory}/${logPath}`;

/** Up to the first byte of output, so that the start of a process is not measured. */
const openExec = async ({ cri }: Service, { containerId }: RunningPod): Promise<Taker> => {
  const cmd = ['/lines', '65536', String(EXEC_MIB + 64)];
  const { url } = await cri.exec({ containerId, cmd, stdout: true });
  const taker = new Taker(url);
  const client = await taker.connect(url, 'v4.channel.k8s.io');
  (await client.open({ streamtype: 'error' })).end();
  return taker.begun(await client.open({ streamtype: 'stdout' }));
};

const openPort = async ({ cri }: Service, { podSandboxId }: RunningPod, port: number): Promise<Taker> => {
  const { url } = await cri.portForward({ podSandboxId });
  const taker = new Taker(url);
  const client = await taker.connect(url, 'portforward.k8s.io');
  const headers = { port: String(port), requestid: '0' };
  (await client.open({ streamtype: 'error', ...headers })).end();
  return taker.begun(await client.open({ streamtype: 'data', ...headers }));
};
