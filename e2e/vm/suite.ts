#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Machine, passOn } from './machine.js';

/**
 * suite.js FILE…: runs compiled test files for the guest. Those of e2e/vm drive a guest, or several, from here; all others run inside of
 * one, by the same script as on a host. The counts are in build/results, as after `make e2e`. Without files, COMMAND runs in a guest.
 */
const WITHIN_MS = 3_600_000;
const RESULTS = 'build/results/e2e-vm';
const files = process.argv.slice(2);
const driven = files.filter((file) => file.startsWith('build/e2e/vm/'));
const inside = files.filter((file) => !driven.includes(file));

const within = async (command: string): Promise<{ code: number; results: string }> => {
  const machine = await Machine.boot();
  try {
    const { code } = await machine.command(command, { onOutput: passOn(process.stdout), deadlineMs: WITHIN_MS });
    return { code, results: await machine.run('cat /opt/jangada/build/results/* 2>/dev/null || echo 0 1') };
  } finally {
    await machine.destroy();
  }
};

/** Emulated processors are about ten times slower, two tests at once included. */
const PATIENCE = 'JANGADA_PATIENCE=10';

mkdirSync('build/results', { recursive: true });
rmSync(RESULTS, { force: true });
let status = 0;
if (process.env['COMMAND']) {
  status = (await within(`cd /opt/jangada; ${process.env['COMMAND']}`)).code;
} else if (inside.length > 0) {
  const quoted = inside.map((file) => `'${file}'`).join(' ');
  const { code, results } = await within(`cd /opt/jangada && ${PATIENCE} e2e/run.sh ${quoted}`);
  writeFileSync(RESULTS, results);
  status = code;
}
if (driven.length > 0) {
  const runner = fileURLToPath(new URL('../harness/run-tests.js', import.meta.url));
  // One guest at a time: each has as many processors as the host.
  const env = { ...process.env, JOBS: '1', JANGADA_PATIENCE: '10' };
  const { status: code } = spawnSync(process.execPath, [runner, 'e2e-vm-driven', ...driven], { stdio: 'inherit', env });
  status ||= code ?? 1;
}
process.exitCode = status;
