import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Service } from './service.js';

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../../.cache/bench-peers', import.meta.url));

const MACHINE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

export type OciRuntime = 'runc' | 'crun';

// The versions of Debian 12. What is packaged later is another comparison.
export const VERSIONS = { containerd: '1.6.20', runc: '1.1.5', crun: '1.8.1', conmon: '2.1.6' } as const;
const LIBRARIES = ['libyajl2', 'libglib2.0-0', 'libpcre2-8-0'];

/** Where the peers' programs are, as in a root directory. */
const PROGRAMS = join(
  CACHE,
  Object.entries(VERSIONS)
    .map(([name, version]) => `${name}-${version}`)
    .join('_'),
);

/** For programs of the peers to be found and to find their libraries. */
export const peerEnv = (): Record<string, string> => ({
  PATH: [...['usr/bin', 'usr/sbin'].map((path) => join(PROGRAMS, path)), process.env['PATH']].join(':'),
  LD_LIBRARY_PATH: join(PROGRAMS, `usr/lib/${MACHINE}-linux-gnu`),
});

/**
 * For a shell in a mount namespace of its own: crun 1.8 refuses a host with both cgroup versions, so it gets to see version 1 alone.
 * Harmless where there is one version only.
 */
export const HIDE_UNIFIED = '! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified';

/** Downloads and unpacks the peers' Debian packages; nothing is installed. Needs a Debian mirror the first time. */
export const unpackPeers = async (): Promise<void> => {
  if (existsSync(PROGRAMS)) return;
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'download-'));
  try {
    const programs = Object.entries(VERSIONS).map(([name, version]) => `${name}=${version}*`);
    await run('apt-get', ['download', ...programs, ...LIBRARIES], { cwd: work });
    const archives = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    for (const archive of archives) await run('dpkg', ['--extract', join(work, archive), join(work, 'root')]);
    await rename(join(work, 'root'), PROGRAMS);
  } finally {
    await rm(work, { recursive: true });
  }
};

export interface PeerOptions {
  runtime: OciRuntime;
  home: string;
  cgroup: string;
  cni: string;
  certs: string;
  pauseImage: string;
}

/** containerd with one OCI runtime, set up for this kind of host. */
export const containerd = async (options: PeerOptions): Promise<Service> => {
  const { runtime, home, cgroup } = options;
  await mkdir(home, { recursive: true });
  const file = join(home, 'config.toml');
  const socket = join(home, 'containerd.sock');
  await writeFile(file, configuration(options, socket));
  const script = `${HIDE_UNIFIED}; exec containerd --config "$0"`;
  const command = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', script, file];
  const name = `containerd ${VERSIONS.containerd} + ${runtime} ${VERSIONS[runtime]}`;
  return new Service({ name, home, cgroup, socket, command, env: peerEnv() });
};

const configuration = ({ runtime, home, cni, certs, pauseImage }: PeerOptions, socket: string): string => {
  const binary = join(PROGRAMS, runtime === 'runc' ? 'usr/sbin/runc' : 'usr/bin/crun');
  return `version = 2
root = "${join(home, 'root')}"
state = "${join(home, 'state')}"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.native",
  "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = "${socket}"

[ttrpc]
address = "${socket}.ttrpc"

[plugins."io.containerd.internal.v1.opt"]
path = "${join(home, 'opt')}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
restrict_oom_score_adj = true
disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${cni}"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "${certs}"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "measured"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.measured]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.measured.options]
BinaryName = "${binary}"
SystemdCgroup = false
`;
};
