import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A bridge network of one daemon, made by Debian's CNI plugins. */
export interface Network {
  bridge: string;
  /** First three numbers of its addresses: `10.130.7`. */
  prefix: string;
  /** Pinned namespaces, host ends of veth pairs and reserved addresses that still exist. */
  leftovers: () => Promise<string[]>;
  remove: () => Promise<void>;
}

let made = 0;

/** Writes the configuration below `home`; `masquerade`: beyond the bridge there is somewhere to go; two test processes at once get different subnets by their pids. */
export const makeNetwork = async (home: string, masquerade = false): Promise<Network> => {
  const number = (process.pid * 16 + made++) % 32_768;
  const prefix = `10.${128 + (number >> 8)}.${number & 255}`;
  const bridge = `jgt${number}`;
  const addresses = join(home, 'addresses');
  await writeFile(
    join(home, 'cni', '10-bridge.conflist'),
    JSON.stringify(conflist(bridge, prefix, addresses, masquerade)),
  );
  const leftovers = async () => [
    ...(await list(join(home, 'netns'))).map((name) => `network namespace ${name}`),
    ...(await list(`/sys/class/net/${bridge}/brif`)).map((name) => `interface ${name}`),
    ...(await list(join(addresses, bridge))).filter((name) => name.startsWith(prefix)).map((name) => `address ${name}`),
    ...(await list(join(home, 'cni-cache'))).map((name) => `CNI result ${name}`),
  ];
  const remove = async () => {
    for (const name of await list(join(home, 'netns')))
      await run('umount', [join(home, 'netns', name)]).catch(() => undefined);
    await run('ip', ['link', 'delete', bridge]).catch(() => undefined); // never made without a pod
  };
  return { bridge, prefix, leftovers, remove };
};

const conflist = (bridge: string, prefix: string, dataDir: string, ipMasq: boolean): object => ({
  cniVersion: '1.0.0',
  name: bridge,
  plugins: [
    {
      type: 'bridge',
      bridge,
      isGateway: true,
      ipMasq,
      hairpinMode: true,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: `${prefix}.0/24` }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
});

const list = (path: string): Promise<string[]> => readdir(path).catch(() => []);
