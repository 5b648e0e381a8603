import type { Passage } from '../control/explain.js';

const BAR = 32;

/** Each request with its parts below it, as bars on the time that it took. */
export const waterfall = (passages: readonly Passage[]): string =>
  passages
    .map((passage) => [head(passage), ...passage.phases.map(bar(passage.ms))].map((line) => `${line}\n`).join(''))
    .join('');

const head = ({ what, name, begunAt, ms, error }: Passage): string => {
  const line = `${new Date(begunAt).toISOString()}  ${what} ${name}  ${shown(ms)}`;
  return error === undefined ? line : `${line}  failed: ${error.split('\n', 1)[0]}`;
};

const bar =
  (total: number) =>
  ({ what, at, ms }: Passage['phases'][number]): string => {
    const scale = total > 0 ? BAR / total : 0;
    const from = Math.min(BAR - 1, Math.floor(at * scale));
    const length = Math.max(1, Math.min(BAR - from, Math.round(ms * scale)));
    return `  ${what.padEnd(12)} ${' '.repeat(from)}${'█'.repeat(length)}${' '.repeat(BAR - from - length)}  ${shown(ms)}`;
  };

const shown = (ms: number): string => (ms < 10_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`);
