import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../harness/wait.js';
import { type CpuAccount, waitForIdle } from './cpu.js';
import type { Metric, Results } from './results.js';
import type { Service } from './service.js';
import { benchContainer, benchPod, removePod } from './workload.js';

const LENGTHS = [100, 1000];
const MIB = 256;
const DEADLINE_MS = 120_000;

/** A container that has been created. */
export interface LoggedContainer {
  log: string;
  start(): Promise<unknown>;
  remove(): Promise<void>;
}

/** Who takes the output of a container to its log. */
export interface LogWriter {
  readonly name: string;
  readonly account: CpuAccount;
  /** `command` begins with the name of a program of the benchmark. */
  prepare(command: string[]): Promise<LoggedContainer>;
}

/** A container that writes lines as fast as they are taken, until the last one is in the log file. */
export const measureLogs = async (writers: LogWriter[], rounds: number, results: Results): Promise<void> => {
  for (let round = 0; round < LENGTHS.length * rounds; round++)
    for (const writer of writers) {
      const length = LENGTHS[round % LENGTHS.length] ?? 0;
      const container = await writer.prepare(['lines', String(length), String(MIB)]);
      await waitForIdle(2000);
      const { seconds, cpuMs } = await timeLog(writer, container);
      await container.remove();
      const metric: Metric = { name: `Log of ${MIB} MiB in ${length}-byte lines`, unit: 'MB/s', better: 'more' };
      results.add(metric, writer.name, round, (MIB * 1.048576) / seconds, cpuMs);
    }
};

const timeLog = async (
  { account }: LogWriter,
  container: LoggedContainer,
): Promise<{ seconds: number; cpuMs: number }> => {
  const { log } = container;
  const cpu = account.ms();
  const begin = performance.now();
  await container.start();
  await until(`the last line in ${log}`, () => endsWith(log, ' F end\n'), DEADLINE_MS);
  const seconds = (performance.now() - begin) / 1000;
  return { seconds, cpuMs: account.ms() - cpu };
};

export const logWriterOf = (service: Service, image: string): LogWriter => {
  const { name, account, cri } = service;
  const prepare = async ([program = '', ...args]: string[]): Promise<LoggedContainer> => {
    const sandboxConfig = await benchPod(service);
    const directory = sandboxConfig.logDirectory ?? '';
    await mkdir(directory, { recursive: true });
    const { podSandboxId } = await cri.runPodSandbox({ config: sandboxConfig });
    const config = benchContainer(image, [`/${program}`, ...args], sandboxConfig);
    const { containerId } = await cri.createContainer({ podSandboxId, config, sandboxConfig });
    return {
      log: join(directory, config.logPath ?? ''),
      start: () => service.logged(() => cri.startContainer({ containerId })),
      remove: async () => {
        await removePod(service, podSandboxId);
        await rm(directory, { recursive: true });
      },
    };
  };
  return { name, account, prepare };
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
