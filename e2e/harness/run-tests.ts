#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

// run-tests.js SUITE FILE…: runs compiled test files side by side and leaves the count in build/results/SUITE.
const [suite = 'tests', ...files] = process.argv.slice(2);
if (files.length === 0) throw new Error(`no test files in suite ${suite}`);
const results = `build/results/${suite}`;
mkdirSync('build/results', { recursive: true });
rmSync(results, { force: true });
const reporter = fileURLToPath(new URL('reporter.js', import.meta.url));
const jobs = process.env['JOBS'] ?? String(Math.min(availableParallelism(), 4));
const { status } = spawnSync(
  process.execPath,
  [
    '--test',
    `--test-concurrency=${jobs}`,
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    ...files,
  ],
  {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, RESULTS: results, TAP_TIMEOUT: String(300 * Number(process.env['JANGADA_PATIENCE'] ?? 1)) },
  },
);
// node's own status misses errors outside of a test, such as those of t.before.
process.exit(status === 0 && readFileSync(results, 'utf8').endsWith(' 0\n') ? 0 : 1);
