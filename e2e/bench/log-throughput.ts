import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../harness/wait.js';
import { waitForIdle } from './cpu.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';
import { benchContainer, benchPod, removePod } from './workload.js';

const LENGTHS = [100, 1000];
const MIB = 100;
const DEADLINE_MS = 120_000;

/** A container that writes lines as fast as they are taken, until the last one is in the log file. */
export const measureLogs = async (
  services: Service[],
  image: string,
  rounds: number,
  results: Results,
): Promise<void> => {
  for (let round = 0; round < LENGTHS.length * rounds; round++)
    for (const service of services) {
      const length = LENGTHS[round % LENGTHS.length] ?? 0;
      await waitForIdle(2000);
      const { seconds, cpuMs } = await service.logged(() => writeLines(service, image, length));
      const metric: Metric = { name: `Log of ${MIB} MiB in ${length}-byte lines`, unit: 'MB/s', better: 'more' };
      results.add(metric, service.name, round, (MIB * 1.048576) / seconds, cpuMs);
    }
};

const writeLines = async (
  service: Service,
  image: string,
  length: number,
): Promise<{ seconds: number; cpuMs: number }> => {
  const { cri, account } = service;
  const sandboxConfig = await benchPod(service);
  await mkdir(sandboxConfig.logDirectory ?? '', { recursive: true });
  const { podSandboxId } = await cri.runPodSandbox({ config: sandboxConfig });
  const config = benchContainer(image, ['/lines', String(length), String(MIB)]);
  const log = join(sandboxConfig.logDirectory ?? '', config.logPath ?? '');
  const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig });
  const cpu = account.ms();
  const begin = performance.now();
  await cri.startContainer({ containerId });
  await until(`the last line in ${log}`, () => endsWith(log, ' F end\n'), DEADLINE_MS);
  const seconds = (performance.now() - begin) / 1000;
  const cpuMs = account.ms() - cpu;
  await removePod(service, podSandboxId);
  return { seconds, cpuMs };
};

const endsWith = async (path: string, text: string): Promise<boolean> => {
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  if (size < text.length) return false;
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(text.length), 0, text.length, size - text.length);
    return buffer.toString() === text;
  } finally {
    await file.close();
  }
};
