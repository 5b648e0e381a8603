import { invalidArgument } from '../base/errors.js';
import type { PlanOp } from '../oci/plan.js';

/**
 * The part of the OCI runtime specification's LinuxResources that this runtime enforces. Absent and 0: no limit was
 * asked for.
 */
export interface Resources {
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  /** `swap` is memory and swap together; -1 in either: unlimited. */
  readonly memory?: { readonly limit?: number; readonly swap?: number; readonly reservation?: number };
  readonly pids?: { readonly limit?: number };
  readonly blockIO?: { readonly weight?: number };
  readonly hugepageLimits?: ReadonlyArray<{ readonly pageSize: string; readonly limit: string }>;
  readonly unified?: Readonly<Record<string, string>>;
  readonly devices?: readonly DeviceRule[];
}

export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
}

export type CgroupWrite = Extract<PlanOp, { op: 'cgroup-write' }>;

export const write = (path: string, value: string | number, optional = false): CgroupWrite => ({
  op: 'cgroup-write',
  path,
  value: typeof value === 'number' ? integer(value) : value,
  optional,
});

const CPU_LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;
const PAGE_SIZE = /^[1-9]\d*[KMGTP]B$/; // OCI runtime specification, config-linux.md, "Huge page limits"

/** What the kernel would refuse with a bare EINVAL, or worse, take for something else. */
export const checkResources = ({ cpu, memory, hugepageLimits }: Resources): void => {
  for (const [name, list] of Object.entries({ cpuset_cpus: cpu?.cpus, cpuset_mems: cpu?.mems })) {
    if (list && !CPU_LIST.test(list))
      throw invalidArgument(`not a list of numbers: ${name} "${list}"; write for example "0-2,7"`);
  }
  for (const { pageSize, limit } of hugepageLimits ?? []) {
    if (!PAGE_SIZE.test(pageSize))
      throw invalidArgument(`not a huge page size: "${pageSize}"; write for example "2MB"`);
    if (!/^\d{1,20}$/.test(limit))
      throw invalidArgument(`not a number of bytes: limit "${limit}" of ${pageSize} pages`);
  }
  const { limit = 0, swap = 0 } = memory ?? {};
  if (swap > 0 && limit === 0)
    throw invalidArgument(`swap limit without a memory limit: memory_swap_limit_in_bytes is ${swap}`);
  if (swap > 0 && (limit < 0 || swap < limit)) {
    throw invalidArgument(
      `swap limit below the memory limit: memory_swap_limit_in_bytes is ${swap}, of memory and swap together; memory_limit_in_bytes is ${limit}`,
    );
  }
};

/** Never `1e+21`, never a fraction: cgroup files take plain integers. */
const integer = (value: number): string => {
  if (!Number.isFinite(value)) throw invalidArgument(`not a number: ${value} as a cgroup limit`);
  return BigInt(Math.trunc(value)).toString();
};
