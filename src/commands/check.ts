import type { Config } from '../base/config.js';
import { loadAddon } from '../native/addon.js';
import { exitStatus, type Finding, judge } from '../daemon/fitness.js';
import { probeHost } from '../daemon/host-probe.js';
import { nativePrograms } from '../daemon/native-programs.js';

const HEADERS = ['CHECK', 'STATE', 'FOUND', 'WHAT IT COSTS', 'WAY OUT'];

/** Prints whether this host is fit for the daemon; resolves to the exit status of `exitStatus`. */
export const runCheck = (config: Config, output: string): number => {
  const findings = judge(probeHost(config, loadAddon(), Object.values(nativePrograms)));
  process.stdout.write(output === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : table(findings));
  return exitStatus(findings);
};

/** Columns as wide as their widest cell; what is fit has empty ones at the end. */
export const table = (findings: readonly Finding[]): string => {
  const rows = [HEADERS, ...findings.map(({ what, state, found, cost, remedy }) => [what, state, found, cost, remedy])];
  const widths = HEADERS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
};
