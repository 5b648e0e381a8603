import { invalidArgument, unimplemented } from '../../base/errors.js';
import type { LinuxResources, LinuxResources__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/LinuxResources.js';
import type { OciLimits } from '../../oci/spec.js';

type Value = { value: string | number } | null | undefined;

/** What plugins are told of limits. */
export const shownResources = ({
  memory,
  cpu,
  pids,
  hugepageLimits = [],
  unified = {},
}: OciLimits): LinuxResources => ({
  ...(memory && { memory: mapped(memory, ['limit', 'reservation', 'swap', 'swappiness']) }),
  ...(cpu && {
    cpu: {
      ...mapped(cpu, ['shares', 'quota', 'period', 'realtimeRuntime', 'realtimePeriod']),
      cpus: cpu.cpus ?? '',
      mems: cpu.mems ?? '',
    },
  }),
  ...(pids && { pids: { limit: pids.limit } }),
  hugepageLimits: hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit })),
  unified,
});

const mapped = <K extends string>(
  values: { [name in K]?: number },
  names: readonly K[],
): { [name in K]?: { value: number } } =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = values[name];
      return value === undefined ? [] : [[name, { value }]];
    }),
  ) as { [name in K]?: { value: number } };

/** @throws RuntimeError for what no kernel has any more, and for what is not ours to give. */
export const readResources = (given: LinuxResources__Output, owner: string): OciLimits => {
  refuseOld(given, owner);
  const { memory, cpu, pids, hugepageLimits, unified } = given;
  const limits: OciLimits = {};
  if (memory) {
    const { limit, reservation, swap, swappiness } = memory;
    limits.memory = numbers({ limit, reservation, swap, swappiness }, owner);
  }
  if (cpu) {
    const { shares, quota, period, realtimeRuntime, realtimePeriod, cpus, mems } = cpu;
    limits.cpu = {
      ...numbers({ shares, quota, period, realtimeRuntime, realtimePeriod }, owner),
      ...(cpus !== '' && { cpus }),
      ...(mems !== '' && { mems }),
    };
  }
  if (pids && pids.limit !== '0') limits.pids = { limit: whole(pids.limit, 'pids limit', owner) };
  if (hugepageLimits.length > 0)
    limits.hugepageLimits = hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit }));
  if (Object.keys(unified).length > 0) limits.unified = unified;
  return limits;
};

const refuseOld = ({ memory, blockioClass, rdtClass }: LinuxResources__Output, owner: string): void => {
  const old = { kernel: memory?.kernel, kernelTcp: memory?.kernelTcp, disableOomKiller: memory?.disableOomKiller };
  for (const [name, given] of Object.entries(old))
    if (given && given.value !== '0' && given.value !== false)
      throw unimplemented(`kernels have it no more: memory ${name}, wanted by ${owner}; leave it out`);
  for (const [name, given] of Object.entries({ blockio: blockioClass, rdt: rdtClass }))
    if (given && given.value !== '')
      throw unimplemented(`no such class here: ${name} class "${given.value}", wanted by ${owner}; leave it out`);
};

const numbers = <K extends string>(given: Record<K, Value>, owner: string): { [name in K]?: number } =>
  Object.fromEntries(
    Object.entries<Value>(given).flatMap(([name, value]) => (value ? [[name, whole(value.value, name, owner)]] : [])),
  ) as { [name in K]?: number };

const whole = (text: string | number, name: string, owner: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw invalidArgument(`beyond 2^53: ${name} ${text}, wanted by ${owner}; -1 is unlimited`);
  return value;
};
