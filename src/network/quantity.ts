import { invalidArgument } from '../base/errors.js';

const FORMAT = /^\+?(\d+(?:\.\d*)?|\.\d+)(|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,2})$/;
const DECIMAL: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Record<string, bigint> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };

/**
 * A Kubernetes quantity ("10M", "1.5Gi", "2e6") as a whole number, rounded up as Quantity.Value() does; undefined when
 * it is none.
 */
export const parseQuantity = (text: string): bigint | undefined => {
  const match = FORMAT.exec(text);
  if (!match || text.length > 64) return undefined;
  const [whole = '', fraction = ''] = (match[1] ?? '').split('.');
  const suffix = match[2] ?? '';
  let numerator = BigInt(`${whole}${fraction}`);
  let exponent = -fraction.length;
  const shift = BINARY[suffix];
  if (shift !== undefined) numerator <<= shift;
  else exponent += DECIMAL[suffix] ?? Number(suffix.slice(1));
  if (exponent >= 0) return numerator * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (numerator + divisor - 1n) / divisor;
};

/** What the CNI capability "bandwidth" takes: bits per second, and bursts in bits. */
export interface Bandwidth {
  readonly ingressRate?: number;
  readonly ingressBurst?: number;
  readonly egressRate?: number;
  readonly egressBurst?: number;
}

const INGRESS = 'kubernetes.io/ingress-bandwidth';
const EGRESS = 'kubernetes.io/egress-bandwidth';
/**
 * The bandwidth plugin requires a burst and keeps it in 32 bits; the kubelet's networks have always used the largest.
 */
const BURST = 2 ** 32 - 1;
const LOWEST = 1000n; // bounds as in Kubernetes' own validation (pkg/util/bandwidth)
const HIGHEST = 10n ** 15n;

export const bandwidthOf = (annotations: Readonly<Record<string, string>>): Bandwidth | null => {
  const ingressRate = rate(annotations, INGRESS);
  const egressRate = rate(annotations, EGRESS);
  if (ingressRate === undefined && egressRate === undefined) return null;
  return {
    ...(ingressRate !== undefined && { ingressRate, ingressBurst: BURST }),
    ...(egressRate !== undefined && { egressRate, egressBurst: BURST }),
  };
};

const rate = (annotations: Readonly<Record<string, string>>, key: string): number | undefined => {
  const text = annotations[key];
  if (text === undefined) return undefined;
  const value = parseQuantity(text);
  if (value === undefined)
    throw invalidArgument(`not a quantity: annotation ${key} is "${text}"; write for example "10M"`);
  if (value < LOWEST || value > HIGHEST) {
    throw invalidArgument(
      `bandwidth out of bounds: annotation ${key} is "${text}"; it must lie between 1k and 1P bits per second`,
    );
  }
  return Number(value);
};
