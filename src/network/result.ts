import { isIP } from 'node:net';
import * as z from 'zod';
import { IFNAME } from './attachment.js';

/** The pod's place on the network, as PodSandboxStatus shows it. */
export interface NetworkResult {
  readonly ip: string;
  readonly additionalIps: readonly string[];
  readonly mac: string;
}

/** What a plugin printed, passed on as prevResult. */
export type RawResult = Readonly<Record<string, unknown>>;

const address = z.string().refine((text) => isIP(text.split('/')[0] ?? '') !== 0, 'not an IP address');
/** Go prints empty values as null, and reads them so. */
const list = <T extends z.ZodType>(item: T) => z.array(item).max(256).nullish();

/** Until 0.2.0: one address of each family, always of the one interface. */
const oldAddress = z
  .looseObject({ ip: address, gateway: z.string().nullish(), routes: list(z.unknown()) })
  .transform((old) => ({ ...old, address: old.ip }))
  .nullish();

const resultSchema = z.looseObject({
  interfaces: list(z.looseObject({ name: z.string(), mac: z.string().nullish(), sandbox: z.string().nullish() })),
  ips: list(z.looseObject({ address, interface: z.number().int().nullish(), gateway: z.string().nullish() })),
  routes: list(z.unknown()),
  dns: z.unknown().optional(),
  ip4: oldAddress,
  ip6: oldAddress,
});

/**
 * What a plugin wrote, or undefined when it is no result. One without a version is of the version that was asked for: the next plugin
 * would take it for 0.1.0 (as libcni's fixupResultVersion).
 */
export const parseRawResult = (stdout: Buffer, cniVersion: string): RawResult | undefined => {
  try {
    const json = JSON.parse(stdout.toString('utf8')) as unknown;
    if (typeof json !== 'object' || Array.isArray(json)) return undefined;
    const raw = (json ?? {}) as RawResult;
    const said = raw['cniVersion'];
    return typeof said === 'string' && said !== '' ? raw : { ...raw, cniVersion };
  } catch {
    return undefined;
  }
};

interface Interface {
  readonly name: string;
  readonly mac?: string | null | undefined;
  readonly sandbox?: string | null | undefined;
}

interface Address {
  readonly address: string;
  /** Its place among the interfaces. */
  readonly interface?: number | null | undefined;
  readonly gateway?: string | null | undefined;
}

interface Result {
  readonly interfaces: readonly Interface[];
  readonly ips: readonly Address[];
  readonly routes: readonly unknown[];
  readonly dns: unknown;
}

/** A result of any version in the words of the later ones. */
const read = (raw: RawResult): Result | { error: string } => {
  const parsed = resultSchema.safeParse(raw);
  if (!parsed.success)
    return { error: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ') };
  const { interfaces, ips, routes, dns, ip4, ip6 } = parsed.data;
  const old = [ip4, ip6].filter((one) => one !== undefined && one !== null);
  return {
    interfaces: interfaces ?? [],
    ips: [...(ips ?? []), ...old],
    routes: [...(routes ?? []), ...old.flatMap((one) => one.routes ?? [])],
    dns: dns ?? {},
  };
};

/**
 * The pod's addresses, in the order in which the plugins gave them: the author of the configuration decides which comes
 * first.
 */
export const summarize = (raw: RawResult): NetworkResult | { error: string } => {
  const result = read(raw);
  if ('error' in result) return result;
  const { interfaces, ips } = result;
  const index = interfaces.findIndex((candidate) => candidate.name === IFNAME && candidate.sandbox);
  const [ip, ...additionalIps] = ips
    .filter((candidate) => typeof candidate.interface !== 'number' || index < 0 || candidate.interface === index)
    .map((candidate) => candidate.address.split('/')[0] ?? '');
  if (ip === undefined) return { error: `no IP address for interface ${IFNAME}` };
  return { ip, additionalIps, mac: interfaces[index]?.mac ?? '' };
};

/** A result as `info.cniResult` of `crictl inspectp` has it, in the words of github.com/containerd/go-cni's Result. */
export const shownResult = (raw: RawResult): object | undefined => {
  const result = read(raw);
  if ('error' in result) return undefined;
  const { interfaces, ips, routes, dns } = result;
  // An address that names no interface is of the pod's one.
  const nameOf = (index: Address['interface']) => (typeof index === 'number' ? interfaces[index]?.name : IFNAME);
  const addressesOf = (name: string) =>
    ips
      .filter((ip) => nameOf(ip.interface) === name)
      .map((ip) => ({ IP: ip.address.split('/')[0], Gateway: ip.gateway ?? '' }));
  const shown = ({ name, mac, sandbox }: Interface) => [
    name,
    { IPConfigs: addressesOf(name), Mac: mac ?? '', Sandbox: sandbox ?? '' },
  ];
  return {
    Interfaces: Object.fromEntries([{ name: IFNAME }, ...interfaces].map(shown)) as object,
    DNS: [dns],
    Routes: routes,
  };
};
