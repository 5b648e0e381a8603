import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { type FaultyRegistry, startFaultyRegistry } from './harness/faulty-registry.js';
import { type Node, startNode } from './harness/node.js';
import { until } from './harness/wait.js';
import { difference, inventory } from './storm/auditor.js';
import { Churn } from './storm/churn.js';
import { Pulls } from './storm/pulls.js';
import { Random } from './storm/random.js';
import { Tally } from './storm/tally.js';
import { Vandals } from './storm/vandals.js';
import { Witnesses } from './storm/witnesses.js';

// Clients make, use and remove pods and images while everything around them breaks. `make storm SECONDS=… SEED=…` repeats one: who does what
// is the seed's, when it meets what the others do is the machine's.
const SECONDS = Number(process.env['STORM_SECONDS'] ?? 25);
const SEED = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000);
const CALM_EVERY_MS = 20_000;
const CLIENTS = 4;
const RESULTS = 'build/results';

const run = promisify(execFile);
const tally = new Tally();
const witnesses = new Witnesses();
let node: Node;
let registry: FaultyRegistry;
let disk: string;
let stuck: string;

t.setTimeout((SECONDS + 600) * 1000);

t.before(async () => {
  disk = await mkdtemp(join(tmpdir(), 'jangada-disk-'));
  t.teardown(() => rm(disk, { recursive: true }));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', disk]);
  t.teardown(() => run('umount', [disk]));
  registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  node = await startNode(t, { root: join(disk, 'root') });
  await node.daemon.trust(registry);
  await addHangingPlugin();
  await witnesses.start(node.daemon, node.busybox, 3);
});

/** First in the chain: it waits for as long as the file is there. */
const addHangingPlugin = async (): Promise<void> => {
  const { home } = node.daemon;
  const [bin, file] = [join(home, 'bin'), join(home, 'cni', '10-bridge.conflist')];
  stuck = join(home, 'stuck');
  for (const directory of [bin, join(home, 'config.d')]) await mkdir(directory);
  const script = `#!/bin/sh\nwhile [ -e ${stuck} ]; do sleep 0.1; done\necho '{"cniVersion":"1.0.0"}'\n`;
  await writeFile(join(bin, 'hanger'), script, { mode: 0o755 });
  await writeFile(join(home, 'config.d/plugins.toml'), `[cni]\nbin_dirs = ["${bin}", "/usr/lib/cni"]\n`);
  const list = JSON.parse(await readFile(file, 'utf8')) as { plugins: object[] };
  list.plugins.unshift({ type: 'hanger' });
  await writeFile(file, JSON.stringify(list));
  await node.daemon.restart();
};

/** All of them until `end`; each finishes what it has begun. */
const blow = async (end: number, rounds: ReadonlyArray<() => Promise<void>>): Promise<void> => {
  await Promise.all(
    rounds.map(async (round) => {
      while (Date.now() < end) await round();
    }),
  );
};

/** Pods and images of requests that ended after their clients had gone. */
const tidy = async (): Promise<void> => {
  const { cri } = node.daemon;
  const kept = new Set(witnesses.ids);
  for (const { id: podSandboxId } of (await cri.listPodSandbox({})).items)
    if (!kept.has(podSandboxId)) {
      await cri.stopPodSandbox({ podSandboxId });
      await cri.removePodSandbox({ podSandboxId });
    }
  for (const { id, repoTags } of (await cri.listImages({})).images)
    if (!repoTags.includes(node.busybox)) await cri.removeImage({ image: { image: id } });
};

/** What there is more or less than before the storm, once what ends in the background has ended. */
const changed = async (before: readonly string[]): Promise<string[]> => {
  let found: string[] = [];
  await until('nothing to be left', async () => {
    await tidy();
    found = difference(before, await inventory(node.daemon));
    return found.length === 0;
  }).catch((error: unknown) => found.push(String(error)));
  return found;
};

t.test(`seed ${SEED}: nothing is lost and nothing is left`, async (t) => {
  const { daemon } = node;
  await daemon.restart();
  const before = await inventory(daemon);
  const spared = new Set(await witnesses.supervisors(daemon));
  const vandals = new Vandals({ daemon, registry, disk, stuck, spared }, new Random(SEED), tally);
  const churns = Array.from({ length: CLIENTS }, (_, number) => new Churn(node, new Random(SEED + 1 + number), tally));
  const pulls = new Pulls(daemon, registry, new Random(SEED + 100), tally);
  const rounds = [vandals, pulls, ...churns].map((one) => () => one.round());
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end && tally.faults.length === 0) {
    await blow(Math.min(end, Date.now() + CALM_EVERY_MS), rounds);
    await daemon.restart();
    t.same(await witnesses.complaints(), [], 'who was spared runs, answers and has logged all');
    t.same(await changed(before), [], 'what the node holds is what it held before');
    tally.add('calms');
  }
  await mkdir(RESULTS, { recursive: true });
  const told = { seed: SEED, seconds: SECONDS, ...tally.counts };
  await writeFile(join(RESULTS, 'storm.json'), `${JSON.stringify(told, null, 2)}\n`);
  t.same(tally.faults, [], 'no client was told of a fault of ours');
});

t.test('nothing is left', async (t) => {
  await witnesses.remove();
  await node.daemon.assertNothingLeft(t);
});
