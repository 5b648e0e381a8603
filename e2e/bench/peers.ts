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
const VERSIONS = { containerd: '1.6.20', runc: '1.1.5', crun: '1.8.1' } as const;
const PACKAGES = [...Object.entries(VERSIONS), ['libyajl2', ''] as const];

/** Where the peers' programs are, as in a root directory. */
const PROGRAMS = join(CACHE, 'root');

/** Downloads and unpacks the peers' Debian packages; nothing is installed. Needs a Debian mirror the first time. */
export const unpackPeers = async (): Promise<void> => {
  if (existsSync(PROGRAMS)) return;
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'download-'));
  try {
    const wanted = PACKAGES.map(([name, version]) => (version ? `${name}=${version}*` : name));
    await run('apt-get', ['download', ...wanted], { cwd: work });
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
  const binaries = ['usr/bin', 'usr/sbin'].map((path) => join(PROGRAMS, path));
  const env = {
    PATH: [...binaries, process.env['PATH']].join(':'),
    LD_LIBRARY_PATH: join(PROGRAMS, `usr/lib/${MACHINE}-linux-gnu`),
  };
  // crun 1.8 refuses a host with both cgroup versions: it gets to see version 1 alone. Harmless where there is one version only.
  const script =
    '! mountpoint -q /sys/fs/cgroup/unified || umount /sys/fs/cgroup/unified; exec containerd --config "$0"';
  const command = ['unshare', '--mount', '--propagation', 'private', '/bin/sh', '-c', script, file];
  const name = `containerd ${VERSIONS.containerd} + ${runtime} ${VERSIONS[runtime]}`;
  return new Service({ name, home, cgroup, socket, command, env });
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
