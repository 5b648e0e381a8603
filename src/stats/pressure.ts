import type { PsiStats } from '../gen/runtime/v1/PsiStats.js';

const LINE = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/gm;

/** A cgroup's pressure file (Documentation/accounting/psi.rst): averages in percent, the total in microseconds. */
export const parsePressure = (text: string): PsiStats | null => {
  const lines = Object.fromEntries(
    [...text.matchAll(LINE)].map(([, kind = '', avg10, avg60, avg300, total = '0']) => [
      kind,
      { Avg10: Number(avg10), Avg60: Number(avg60), Avg300: Number(avg300), Total: `${BigInt(total) * 1000n}` },
    ]),
  );
  return lines['some'] || lines['full'] ? { Some: lines['some'] ?? null, Full: lines['full'] ?? null } : null;
};
