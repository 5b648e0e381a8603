import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { ReadFile } from './cgroup-files.js';
import type { CgroupMounts } from './cgroup-stats.js';
import type { Sample } from './metric-descriptors.js';

interface DeviceCounts {
  /** As the kernel numbers devices: `8:0`. */
  readonly number: string;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reads: number;
  readonly writes: number;
}

/** What a cgroup read from and wrote to each block device. */
export const blockSamples = (layout: CgroupMounts, path: string, read: ReadFile): Sample[] =>
  countsOf(layout, path, read).flatMap(({ number, readBytes, writeBytes, reads, writes }): Sample[] => {
    const device = deviceName(number);
    const [major = '', minor = ''] = number.split(':');
    return [
      { name: 'container_fs_reads_bytes_total', value: readBytes, labels: [device] },
      { name: 'container_fs_reads_total', value: reads, labels: [device] },
      { name: 'container_fs_writes_bytes_total', value: writeBytes, labels: [device] },
      { name: 'container_fs_writes_total', value: writes, labels: [device] },
      { name: 'container_blkio_device_usage_total', value: readBytes, labels: [device, major, minor, 'Read'] },
      { name: 'container_blkio_device_usage_total', value: writeBytes, labels: [device, major, minor, 'Write'] },
    ];
  });

const countsOf = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): DeviceCounts[] => {
  if (v1['blkio']) {
    const directory = `${v1['blkio']}${path}`;
    return parseBlkio(
      read(`${directory}/blkio.throttle.io_service_bytes_recursive`) ?? '',
      read(`${directory}/blkio.throttle.io_serviced_recursive`) ?? '',
    );
  }
  return v2?.controllers.includes('io') ? parseIoStat(read(`${v2.mountPoint}${path}/io.stat`) ?? '') : [];
};

/** v1: `8:0 Read 4096`, one file of bytes and one of operations, each with a sum at its end. */
export const parseBlkio = (bytes: string, operations: string): DeviceCounts[] => {
  const amounts = (text: string) =>
    new Map(
      [...text.matchAll(/^(\d+:\d+) (Read|Write) (\d+)$/gm)].map(([, device, kind, n]) => [
        `${device} ${kind}`,
        Number(n),
      ]),
    );
  const [moved, made] = [amounts(bytes), amounts(operations)];
  const devices = new Set([...moved.keys()].map((key) => key.split(' ')[0] ?? ''));
  return [...devices].map((number) => ({
    number,
    readBytes: moved.get(`${number} Read`) ?? 0,
    writeBytes: moved.get(`${number} Write`) ?? 0,
    reads: made.get(`${number} Read`) ?? 0,
    writes: made.get(`${number} Write`) ?? 0,
  }));
};

/** v2: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
export const parseIoStat = (text: string): DeviceCounts[] =>
  text.split('\n').flatMap((line) => {
    const [number = '', ...pairs] = line.trim().split(' ');
    if (!/^\d+:\d+$/.test(number)) return [];
    const values = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
    const of = (key: string) => Number(values.get(key) ?? 0);
    return [{ number, readBytes: of('rbytes'), writeBytes: of('wbytes'), reads: of('rios'), writes: of('wios') }];
  });

/** `/dev/sda`; the number alone for a device that sysfs does not know (any more). */
export const deviceName = (number: string): string => {
  try {
    return `/dev/${basename(readlinkSync(`/sys/dev/block/${number}`))}`;
  } catch {
    return number;
  }
};
