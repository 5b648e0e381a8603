import { waitForIdle } from './cpu.js';
import type { Results } from './results.js';
import type { Service } from './service.js';

const METRIC = { name: 'Daemon start to its first answer', unit: 'ms', better: 'less' } as const;

/** Restarts every daemon a few times, in turn; their images are there, pods are not. */
export const measureColdStart = async (services: Service[], times: number, results: Results): Promise<void> => {
  for (let round = 0; round <= times; round++)
    for (const service of services) {
      await service.stop();
      await waitForIdle(1000);
      const cpu = service.account.ms();
      const ms = await service.start();
      if (round > 0) results.add(METRIC, service.name, round, ms, service.account.ms() - cpu);
    }
};
