#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Machine, passOn } from './machine.js';

/**
 * suite.js FILE…: runs compiled test files for the guest. Those of e2e/vm drive a guest, or several, from here; all others run inside of
 * one, by the same script as on a host. The counts are in build/results, as after `make e2e`. Without files, COMMAND runs in a guest.
 */
const WITHIN_MS = 4 * 3_600_000;
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

/** The files that run inside of a guest. */
const runInside = async (): Promise<number> => {
  if (inside.length === 0) return 0;
  const quoted = inside.map((file) => `'${file}'`).join(' ');
  const { code, results } = await within(`cd /opt/jangada && ${PATIENCE} e2e/run.sh ${quoted}`);
  writeFileSync(RESULTS, results);
  return code;
};

/** The files that drive guests; one at a time, each has as many processors as the host. */
const runDriven = async (): Promise<number> => {
  if (driven.length === 0) return 0;
  const runner = fileURLToPath(new URL('../harness/run-tests.js', import.meta.url));
  const env = { ...process.env, JOBS: '1', JANGADA_PATIENCE: '10' };
  const child = spawn(process.execPath, [runner, 'e2e-vm-driven', ...driven], { stdio: 'inherit', env });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
};

mkdirSync('build/results', { recursive: true });
rmSync(RESULTS, { force: true });
const command = process.env['COMMAND'];
const codes = command
  ? [(await within(`cd /opt/jangada; ${command}`)).code]
  : await Promise.all([runInside(), runDriven()]);
process.exitCode = codes.find((code) => code !== 0) ?? 0;
