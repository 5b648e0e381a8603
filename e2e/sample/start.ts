import { execFile, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ociLayout } from '../harness/archive.js';
import { type Cri, connect } from '../harness/client.js';
import { MAIN } from '../harness/daemon.js';
import type { Image } from '../harness/image.js';
import { type Registry, startRegistry } from '../harness/registry.js';
import { until } from '../harness/wait.js';
import { end, HOME, IS_ROOT, remember, ROOT, SOCKET, STATE } from './place.js';

const CNI_EXAMPLE = fileURLToPath(new URL('../../../deploy/cni/10-jangada.conflist', import.meta.url));

const WHOSE = ['--config', join(HOME, 'config.toml'), ...(IS_ROOT ? [] : ['--rootless'])];

/** Without a registry: a rootless daemon does not reach those on the loopback of the host. */
export const importImage = async (image: Image, name: string): Promise<void> => {
  const archive = join(HOME, 'image.tar');
  await writeFile(archive, await ociLayout([{ image, name }]));
  await promisify(execFile)(process.execPath, [MAIN, 'image', 'import', ...WHOSE, archive]);
  await rm(archive);
};

/** A registry that goes on serving when this program has ended. */
export const serveRegistry = async (): Promise<Registry> => {
  await end('registry');
  const home = join(HOME, 'registry');
  await mkdir(home, { recursive: true, mode: 0o700 });
  const registry = await startRegistry({ home, port: 5050, detached: true });
  await remember('registry', registry.pid);
  const directory = join(HOME, 'certs.d', registry.host);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'hosts.toml'), `server = "${registry.url}"\n`);
  return registry;
};

/** The daemon of this checkout in the background. One that an earlier sample started makes room; its containers stay. */
export const startDaemon = async (): Promise<{ cri: Cri; pid: number }> => {
  await end('daemon');
  await refuseOther();
  await mkdir(HOME, { recursive: true, mode: 0o700 });
  await configureNetwork();
  await writeFile(join(HOME, 'config.toml'), CONFIGURATION);
  const log = await open(join(HOME, 'daemon.log'), 'a');
  const child = spawn(process.execPath, [MAIN, 'daemon', ...WHOSE], {
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
    cwd: '/',
  });
  child.unref();
  await log.close();
  const cri = connect(SOCKET);
  await until(`the daemon on ${SOCKET}`, async () => {
    if (child.exitCode !== null)
      throw new Error(`the daemon did not start:\n${await readFile(join(HOME, 'daemon.log'), 'utf8')}`);
    const { status } = await cri.status({}, { deadlineMs: 1000 }).catch(() => ({ status: undefined }));
    return status?.conditions.every((condition) => condition.status);
  });
  await remember('daemon', child.pid ?? 0);
  return { cri, pid: child.pid ?? 0 };
};

const CONFIGURATION = `version = 1
root = "${ROOT}"
state = "${STATE}"
socket = "${SOCKET}"
${IS_ROOT ? '' : `netns_dir = "${join(STATE, 'netns')}"`}

[cni]
conf_dir = "${join(HOME, 'cni')}"
cache_dir = "${join(HOME, 'cni-cache')}"

[control]
socket = "${join(HOME, 'control.sock')}"

[images]
directory = "${join(HOME, 'images.d')}"

[registry]
config_path = "${join(HOME, 'certs.d')}"

[containers]
default_cgroup_parent = "/jangada-sample"
`;

/** An installed jangada on the same socket is not ours to replace. */
const refuseOther = async (): Promise<void> => {
  const probe = connect(SOCKET);
  const answer = await probe.version({}, { deadlineMs: 500 }).catch(() => undefined);
  probe.close();
  if (answer) throw new Error(`another ${answer.runtimeName} serves ${SOCKET}: stop it first`);
};

/** The example of deploy/cni, with its addresses kept in the sample's own directory. */
const configureNetwork = async (): Promise<void> => {
  const list = JSON.parse(await readFile(CNI_EXAMPLE, 'utf8')) as { plugins: Array<{ ipam?: { dataDir?: string } }> };
  for (const { ipam } of list.plugins) if (ipam) ipam.dataDir = join(HOME, 'addresses');
  await rm(join(HOME, 'cni'), { recursive: true, force: true });
  await mkdir(join(HOME, 'cni'), { recursive: true });
  await writeFile(join(HOME, 'cni', '10-jangada.conflist'), JSON.stringify(list));
};
