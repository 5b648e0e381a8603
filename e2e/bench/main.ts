#!/usr/bin/env node
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { insideHome, runIsolated } from './isolate.js';
import { OURS } from './jangada.js';
import { machineFacts } from './machine.js';
import { unpackPeers } from './peers.js';
import { Results } from './results.js';
import { type Plan, runPart, startSuite, stopSuite } from './suite.js';
import { comparisons, markdownTable, plainTable } from './table.js';

// main.js [--markdown] [--only PART,…] [--without-ours]; BENCH_QUICK=1: under a minute; BENCH_JSON=FILE: the figures for programs.
const { values: options } = parseArgs({
  options: {
    markdown: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    'without-ours': { type: 'boolean', default: false },
  },
});
const QUICK = process.env['BENCH_QUICK'] === '1';

const full: Plan = {
  peers: ['runc', 'crun'],
  withOurs: !options['without-ours'],
  parts: ['latency', 'density', 'logs', 'streams', 'coldstart', 'pull'],
  latency: { rounds: 6, cycles: 20, cniCycles: 10, execs: 5, idleMs: 20_000, budgetMs: 600_000 },
  pods: 100,
  repetitions: 3,
};
const quick: Plan = {
  ...full,
  peers: ['crun'],
  parts: ['latency', 'density'],
  latency: { rounds: 6, cycles: 8, cniCycles: 3, execs: 4, idleMs: 300, budgetMs: 25_000 },
  pods: 20,
};

const measure = async (home: string): Promise<void> => {
  for (const [name, value] of machineFacts()) console.log(`${name.padEnd(16)}${value}`);
  const plan = QUICK ? quick : full;
  const suite = await startSuite(home, plan);
  const results = new Results();
  for (const part of options.only ? options.only.split(',') : plan.parts) {
    process.stderr.write(`${part} …\n`);
    try {
      for (const remark of await runPart(part, suite, plan, results)) console.log(`${'not idle'.padEnd(16)}${remark}`);
    } catch (error) {
      // A runtime that fails at one thing must not cost the figures of all others; what it lacks shows as a gap in the table.
      console.log(`${'failed'.padEnd(16)}${part}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
  await report(results);
  await stopSuite(suite);
};

const report = async (results: Results): Promise<void> => {
  const rows = results.rows();
  const peers = [...new Set(rows.flatMap(({ values }) => [...values.keys()]))].filter((name) => name !== OURS);
  console.log(`\n${(options.markdown ? markdownTable : plainTable)(rows, OURS, peers)}`);
  const json = process.env['BENCH_JSON'];
  if (json) await writeFile(json, `${JSON.stringify(comparisons(rows, OURS, peers), null, 2)}\n`);
};

if (process.getuid?.() !== 0) throw new Error('not root: real containers are started; run this as root');
if (insideHome) await measure(insideHome);
else {
  await unpackPeers();
  process.exitCode = await runIsolated(fileURLToPath(import.meta.url), process.argv.slice(2));
}
