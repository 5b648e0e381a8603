import { setTimeout as sleep } from 'node:timers/promises';

/** How many times longer than on a machine of today everything may take: emulated processors are slow. Deadlines only, nothing waits for it. */
export const PATIENCE = Number(process.env['JANGADA_PATIENCE'] ?? 1);

/** Asks again until the answer is neither undefined nor false; fails with `what` when the deadline passes. */
export const until = async <T>(
  what: string,
  ask: () => Promise<T | undefined | false>,
  deadlineMs = 15_000,
): Promise<T> => {
  const end = Date.now() + deadlineMs * PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`still waiting after ${deadlineMs * PATIENCE} ms: ${what}`);
    await sleep(10);
  }
};
