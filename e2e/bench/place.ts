import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from '../harness/registry.js';

/** What all runtimes share: CNI configuration and how to reach the registry. */
export interface Place {
  home: string;
  cgroup: string;
  cni: string;
  certs: string;
}

// A network namespace of our own: no address here can clash.
const CONFLIST = (dataDir: string) => ({
  cniVersion: '0.4.0', // the newest that containerd 1.6 and all of Debian's plugins speak
  name: 'bench',
  plugins: [
    {
      type: 'bridge',
      bridge: 'bench0',
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

export const preparePlace = async (home: string, cgroup: string, registry: Registry): Promise<Place> => {
  const place = { home, cgroup, cni: join(home, 'cni'), certs: join(home, 'certs.d') };
  const host = join(place.certs, registry.host);
  for (const directory of [place.cni, host]) await mkdir(directory, { recursive: true });
  const conflist = JSON.stringify(CONFLIST(join(home, 'addresses')));
  await writeFile(join(place.cni, '10-bench.conflist'), conflist);
  const hosts = `server = "${registry.url}"\n\n[host."${registry.url}"]\ncapabilities = ["pull", "resolve"]\n`;
  await writeFile(join(host, 'hosts.toml'), hosts);
  return place;
};
