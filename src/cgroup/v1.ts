import { type CgroupLayout, v1Mount } from './layout.js';
import { type CgroupWrite, type DeviceRule, type Resources, write } from './limits.js';

/** Values for a fresh v1 cgroup. */
export const v1Writes = (layout: CgroupLayout, path: string, resources: Resources): CgroupWrite[] => {
  const file = (controller: string, name: string) => `${v1Mount(layout, controller)}${path}/${name}`;
  const has = (controller: string) => v1Mount(layout, controller) !== undefined;
  const { cpu = {}, memory = {}, pids, blockIO, hugepageLimits = [], devices = [] } = resources;
  const writes: CgroupWrite[] = [];
  const put = (controller: string, name: string, value: string | number | undefined, optional = false) => {
    if (value && has(controller)) writes.push(write(file(controller, name), value, optional));
  };
  put('cpu', 'cpu.shares', cpu.shares);
  // The period first: a quota may only be valid with the period it was meant for.
  put('cpu', 'cpu.cfs_period_us', cpu.period);
  put('cpu', 'cpu.cfs_quota_us', cpu.quota && Math.max(cpu.quota, -1));
  put('cpuset', 'cpuset.cpus', cpu.cpus);
  put('cpuset', 'cpuset.mems', cpu.mems);
  // Memory before memory+swap, which must never be the lower of the two; absent without CONFIG_MEMCG_SWAP or with
  // swapaccount=0.
  put('memory', 'memory.limit_in_bytes', memory.limit);
  put('memory', 'memory.memsw.limit_in_bytes', memory.swap, true);
  put('memory', 'memory.soft_limit_in_bytes', memory.reservation, true);
  put('pids', 'pids.max', pids?.limit && (pids.limit < 0 ? 'max' : pids.limit));
  // The file is named after the I/O scheduler in charge, which differs by kernel.
  put('blkio', 'blkio.weight', blockIO?.weight, true);
  put('blkio', 'blkio.bfq.weight', blockIO?.weight, true);
  if (has('hugetlb'))
    for (const { pageSize, limit } of hugepageLimits)
      writes.push(...hugetlbWrites(file('hugetlb', `hugetlb.${pageSize}`), limit));
  if (has('devices')) for (const rule of devices) writes.push(deviceWrite(file('devices', 'devices'), rule));
  return writes;
};

/** Zero is a limit here, and the one that the kubelet sends for every page size. */
const hugetlbWrites = (prefix: string, limit: string): CgroupWrite[] => [
  write(`${prefix}.limit_in_bytes`, limit, limit === '0'),
  write(`${prefix}.rsvd.limit_in_bytes`, limit, true),
];

const deviceWrite = (prefix: string, { allow, type = 'a', major, minor, access = 'rwm' }: DeviceRule): CgroupWrite => {
  const number = (value: number | undefined) => (value === undefined || value < 0 ? '*' : String(value));
  const rule = type === 'a' ? 'a' : `${type} ${number(major)}:${number(minor)} ${access}`;
  return write(`${prefix}.${allow ? 'allow' : 'deny'}`, rule);
};
