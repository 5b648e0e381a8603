import type { OciBlockIo, OciLimits } from '../oci/spec.js';
import { type CgroupLayout, v2Mount } from './layout.js';
import { type CgroupWrite, DEFAULT_PERIOD, write } from './limits.js';

/** Controllers that limit or measure something for us. */
const USED = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];

/** A v2 cgroup has a controller's files only when every ancestor passes the controller on. */
export const usedControllers = (available: readonly string[]): string[] =>
  USED.filter((controller) => available.includes(controller));

/** Values for a v2 cgroup: the limits, then the keys of `unified`, which therefore win. */
export const v2Writes = (layout: CgroupLayout, path: string, limits: OciLimits): CgroupWrite[] => {
  const { cpu = {}, memory = {}, pids, blockIO = {}, hugepageLimits = [], unified = {} } = limits;
  const writes: CgroupWrite[] = [];
  const put = (name: string, value: string | number | undefined, optional = false) => {
    const mountPoint = v2Mount(layout, name.split('.')[0] ?? '');
    if (value !== undefined && mountPoint) writes.push(write(`${mountPoint}${path}/${name}`, value, optional));
  };
  put('cpu.weight', cpu.shares ? cpuWeight(cpu.shares) : undefined);
  put('cpu.max', cpuMax(cpu));
  put('cpu.max.burst', cpu.burst || undefined);
  put('cpu.idle', cpu.idle || undefined);
  put('cpuset.cpus', cpu.cpus || undefined);
  put('cpuset.mems', cpu.mems || undefined);
  put('memory.max', orMax(memory.limit));
  const swap = swapMax(memory);
  // A kernel without swap has no such file, and there "none" and "any" are both true already.
  put('memory.swap.max', swap, swap === '0' || swap === 'max');
  put('memory.low', orMax(memory.reservation));
  put('pids.max', orMax(pids?.limit));
  putBlockIo(put, blockIO);
  for (const { pageSize, limit } of hugepageLimits) {
    put(`hugetlb.${pageSize}.max`, limit, limit === '0');
    put(`hugetlb.${pageSize}.rsvd.max`, limit, true);
  }
  for (const [key, value] of Object.entries(unified)) put(key, value);
  return writes;
};

type Put = (name: string, value: string | number | undefined, optional?: boolean) => void;

const putBlockIo = (put: Put, blockIo: OciBlockIo): void => {
  put('io.bfq.weight', blockIo.weight || undefined, true);
  put('io.weight', blockIo.weight ? `default ${ioWeight(blockIo.weight)}` : undefined, true);
  for (const { major, minor, weight } of blockIo.weightDevice ?? []) {
    put('io.bfq.weight', `${major}:${minor} ${weight}`, true);
    put('io.weight', `${major}:${minor} ${ioWeight(weight)}`, true);
  }
  const throttles = {
    rbps: blockIo.throttleReadBpsDevice,
    wbps: blockIo.throttleWriteBpsDevice,
    riops: blockIo.throttleReadIOPSDevice,
    wiops: blockIo.throttleWriteIOPSDevice,
  };
  for (const [name, devices = []] of Object.entries(throttles))
    for (const { major, minor, rate } of devices) put('io.max', `${major}:${minor} ${name}=${rate || 'max'}`);
};

/**
 * cpu.shares (2…262144, default 1024) as cpu.weight (1…10000, default 100): the curve through those three points that
 * runc 1.3.2 and crun 1.23 use, so that a default container weighs as much as any other cgroup.
 */
export const cpuWeight = (shares: number): number => {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
};

/** Without a quota nothing is written but a period of its own, which keeps the quota that is there. */
const cpuMax = ({ quota = 0, period = 0 }: { quota?: number; period?: number }): string | undefined => {
  if (quota === 0) return period > 0 ? `max ${period}` : undefined;
  return `${quota < 0 ? 'max' : quota} ${period || DEFAULT_PERIOD}`;
};

const orMax = (limit: number | undefined): string | number | undefined =>
  limit ? (limit < 0 ? 'max' : limit) : undefined;

/** v2 counts swap alone where OCI counts memory and swap together. */
export const swapMax = ({ limit = 0, swap = 0 }: { limit?: number; swap?: number }): string | undefined => {
  if (swap === 0) return undefined;
  return swap < 0 ? 'max' : String(swap - limit);
};

/** blkio.weight (10…1000) as io.weight (1…10000). */
export const ioWeight = (weight: number): number => 1 + Math.trunc(((weight - 10) * 9999) / 990);
