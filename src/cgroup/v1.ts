import type { OciBlockIo, OciDeviceRule, OciLimits } from '../oci/spec.js';
import { type CgroupLayout, v1Mount } from './layout.js';
import { type CgroupWrite, write } from './limits.js';

/** Values for a fresh v1 cgroup. */
export const v1Writes = (layout: CgroupLayout, path: string, limits: OciLimits): CgroupWrite[] => {
  const { cpu = {}, memory = {}, pids, blockIO = {}, hugepageLimits = [] } = limits;
  const writes: CgroupWrite[] = [];
  const put = (controller: string, name: string, value: string | number | undefined, optional = false) => {
    const mountPoint = v1Mount(layout, controller);
    if (value && mountPoint) writes.push(write(`${mountPoint}${path}/${name}`, value, optional));
  };
  put('cpu', 'cpu.shares', cpu.shares);
  // The period first: a quota may only be valid with the period it was meant for.
  put('cpu', 'cpu.cfs_period_us', cpu.period);
  put('cpu', 'cpu.cfs_quota_us', cpu.quota);
  put('cpu', 'cpu.cfs_burst_us', cpu.burst);
  put('cpu', 'cpu.rt_period_us', cpu.realtimePeriod);
  put('cpu', 'cpu.rt_runtime_us', cpu.realtimeRuntime);
  put('cpu', 'cpu.idle', cpu.idle);
  put('cpuset', 'cpuset.cpus', cpu.cpus);
  put('cpuset', 'cpuset.mems', cpu.mems);
  // Memory before memory+swap, which must never be the lower of the two; absent without CONFIG_MEMCG_SWAP or with
  // swapaccount=0.
  put('memory', 'memory.limit_in_bytes', memory.limit);
  put('memory', 'memory.memsw.limit_in_bytes', memory.swap, true);
  put('memory', 'memory.soft_limit_in_bytes', memory.reservation, true);
  put('memory', 'memory.swappiness', memory.swappiness);
  put('pids', 'pids.max', pids?.limit && (pids.limit < 0 ? 'max' : pids.limit));
  putBlockIo(put, blockIO);
  for (const { pageSize, limit } of hugepageLimits) {
    // Zero is a limit here, and the one that the kubelet sends for every page size.
    put('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limit, limit === '0');
    put('hugetlb', `hugetlb.${pageSize}.rsvd.limit_in_bytes`, limit, true);
  }
  return writes;
};

type Put = (controller: string, name: string, value: string | number | undefined, optional?: boolean) => void;

const putBlockIo = (put: Put, blockIo: OciBlockIo): void => {
  // The files are named after the I/O scheduler in charge, which differs by kernel.
  for (const prefix of ['blkio', 'blkio.bfq']) {
    put('blkio', `${prefix}.weight`, blockIo.weight, true);
    for (const { major, minor, weight } of blockIo.weightDevice ?? [])
      put('blkio', `${prefix}.weight_device`, `${major}:${minor} ${weight}`, true);
  }
  const throttles = {
    read_bps: blockIo.throttleReadBpsDevice,
    write_bps: blockIo.throttleWriteBpsDevice,
    read_iops: blockIo.throttleReadIOPSDevice,
    write_iops: blockIo.throttleWriteIOPSDevice,
  };
  for (const [name, devices = []] of Object.entries(throttles))
    for (const { major, minor, rate } of devices)
      put('blkio', `blkio.throttle.${name}_device`, `${major}:${minor} ${rate}`);
};

/** What the devices controller of a fresh cgroup is told. */
export const v1DeviceWrites = (layout: CgroupLayout, path: string, rules: readonly OciDeviceRule[]): CgroupWrite[] =>
  rules.map((rule) => deviceWrite(`${v1Mount(layout, 'devices')}${path}/devices`, rule));

const deviceWrite = (prefix: string, { allow, type = 'a', major, minor, access }: OciDeviceRule): CgroupWrite => {
  const number = (value: number | undefined) => (value === undefined || value < 0 ? '*' : String(value));
  const rule = type === 'a' ? 'a' : `${type} ${number(major)}:${number(minor)} ${access}`;
  return write(`${prefix}.${allow ? 'allow' : 'deny'}`, rule);
};
