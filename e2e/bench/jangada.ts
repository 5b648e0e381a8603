import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MAIN } from '../harness/daemon.js';
import { Service } from './service.js';

export const OURS = 'jangada';

export interface JangadaOptions {
  home: string;
  /** A short path on a tmpfs: supervisors bind sockets below it. */
  state: string;
  cgroup: string;
  cni: string;
  certs: string;
}

/** The daemon of this checkout, as it would be installed. */
export const jangada = async ({ home, state, cgroup, cni, certs }: JangadaOptions): Promise<Service> => {
  await mkdir(home, { recursive: true });
  const socket = join(home, 'jangada.sock');
  const file = join(home, 'config.toml');
  const configuration = `version = 1
root = "${join(home, 'root')}"
state = "${state}"
socket = "${socket}"
netns_dir = "${join(state, 'netns')}"

[cni]
conf_dir = "${cni}"
bin_dirs = ["/usr/lib/cni"]
cache_dir = "${join(home, 'cni-cache')}"

[control]
socket = "${join(home, 'control.sock')}"

[images]
directory = "${join(home, 'images.d')}"

[registry]
config_path = "${certs}"

[containers]
default_cgroup_parent = "${cgroup}/pods"
`;
  await writeFile(file, configuration);
  const command = [MAIN, 'daemon', '--config', file];
  return new Service({ name: OURS, home, cgroup, socket, command });
};
