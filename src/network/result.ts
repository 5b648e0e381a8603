import { isIP } from 'node:net';
import * as z from 'zod';
import { IFNAME } from './attachment.js';

/** The pod's place on the network, as PodSandboxStatus shows it. */
export interface NetworkResult {
  readonly ip: string;
  readonly additionalIps: readonly string[];
  readonly mac: string;
}

/** What a plugin printed, passed on untouched as prevResult. */
export type RawResult = Readonly<Record<string, unknown>>;

const address = z.string().refine((text) => isIP(text.split('/')[0] ?? '') !== 0, 'not an IP address');

const resultSchema = z.looseObject({
  interfaces: z
    .array(z.looseObject({ name: z.string(), mac: z.string().optional(), sandbox: z.string().optional() }))
    .max(256)
    .default([]),
  ips: z
    .array(z.looseObject({ address, interface: z.number().int().optional(), gateway: z.string().optional() }))
    .max(256)
    .default([]),
});

export const parseRawResult = (stdout: Buffer): RawResult | undefined => {
  try {
    const json = JSON.parse(stdout.toString('utf8')) as unknown;
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as RawResult) : undefined;
  } catch {
    return undefined;
  }
};

/**
 * The pod's addresses, in the order in which the plugins gave them: the author of the configuration decides which comes
 * first.
 */
export const summarize = (raw: RawResult): NetworkResult | { error: string } => {
  const parsed = resultSchema.safeParse(raw);
  if (!parsed.success)
    return { error: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ') };
  const { interfaces, ips } = parsed.data;
  const index = interfaces.findIndex((candidate) => candidate.name === IFNAME && candidate.sandbox);
  const [ip, ...additionalIps] = ips
    .filter((candidate) => candidate.interface === undefined || index < 0 || candidate.interface === index)
    .map((candidate) => candidate.address.split('/')[0] ?? '');
  if (ip === undefined) return { error: `no IP address for interface ${IFNAME}` };
  return { ip, additionalIps, mac: interfaces[index]?.mac ?? '' };
};

/** A result as `info.cniResult` of `crictl inspectp` has it, in the words of github.com/containerd/go-cni's Result. */
export const shownResult = (raw: RawResult): object | undefined => {
  const parsed = resultSchema.safeParse(raw);
  if (!parsed.success) return undefined;
  const { interfaces, ips } = parsed.data;
  const addressesOf = (index: number) =>
    ips
      .filter((ip) => ip.interface === index)
      .map(({ address, gateway = '' }) => ({ IP: address.split('/')[0], Gateway: gateway }));
  return {
    Interfaces: Object.fromEntries(
      interfaces.map(({ name, mac = '', sandbox = '' }, index) => [
        name,
        { IPConfigs: addressesOf(index), Mac: mac, Sandbox: sandbox },
      ]),
    ),
    DNS: [raw['dns'] ?? {}],
    Routes: raw['routes'] ?? [],
  };
};
