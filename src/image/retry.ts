import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, discard } from './exchange.js';
import { isTransient } from './unreachable.js';

export interface RetryPolicy {
  readonly attempts: number;
  readonly baseMs: number;
  readonly longestMs: number;
}

export const RETRY: RetryPolicy = { attempts: 4, baseMs: 300, longestMs: 20_000 };

const TRANSIENT = [408, 429, 500, 502, 503, 504];

/** Repeats `ask` while a server is overloaded or out of reach; the last answer or failure stands. */
export const withRetry = async (
  policy: RetryPolicy,
  signal: AbortSignal,
  ask: () => Promise<Answer>,
): Promise<Answer> => {
  for (let attempt = 1; ; attempt++) {
    const last = attempt >= policy.attempts;
    let wait = Math.min(policy.baseMs * 2 ** (attempt - 1), policy.longestMs);
    try {
      const answer = await ask();
      if (last || !TRANSIENT.includes(answer.status)) return answer;
      wait = Math.max(wait, Math.min(retryAfterMs(answer), policy.longestMs));
      await discard(answer);
    } catch (error) {
      if (last || !isTransient(error)) throw error;
    }
    await sleep(wait, undefined, { signal });
  }
};

const retryAfterMs = ({ headers }: Answer): number => {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return 0;
  const seconds = /^\d{1,6}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
};
