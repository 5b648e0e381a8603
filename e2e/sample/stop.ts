import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '../harness/client.js';
import { removeCgroups } from '../harness/cgroup.js';
import { BRIDGE, end, HOME, IS_ROOT, ROOT, SOCKET, STATE } from './place.js';
import { startDaemon } from './start.js';

// `make stop`: removes every pod of the sample's daemon, then the daemon, the registry and what they left.
const removePods = async (): Promise<number> => {
  const cri = connect(SOCKET);
  const { items } = await cri.listPodSandbox({});
  for (const { id } of items) {
    await cri.stopPodSandbox({ podSandboxId: id });
    await cri.removePodSandbox({ podSandboxId: id });
  }
  cri.close();
  return items.length;
};

/** Files of images belong to IDs that the user is allowed to use in there only. */
const endNamespaces = async (): Promise<void> => {
  const pid = (await readFile(join(STATE, 'namespaces.pid'), 'utf8')).trim();
  await promisify(execFile)('nsenter', ['--target', pid, '--user', '--preserve-credentials', 'rm', '-rf', ROOT]);
  process.kill(Number(pid));
};

const main = async (): Promise<void> => {
  if (!existsSync(HOME)) return console.log('nothing to stop');
  // Containers outlive their daemon: one is needed to remove them, also when the last one was killed.
  const { cri } = await startDaemon();
  cri.close();
  const pods = await removePods();
  await end('daemon');
  await end('registry');
  await promisify(execFile)('ip', ['link', 'delete', BRIDGE]).catch(() => undefined); // never made without a pod
  await removeCgroups('/jangada-sample');
  if (!IS_ROOT) await endNamespaces();
  for (const place of [ROOT, STATE]) await rm(place, { recursive: true, force: true });
  console.log(`stopped: the daemon, the registry and ${pods} ${pods === 1 ? 'pod' : 'pods'}; nothing is left`);
};

await main();
