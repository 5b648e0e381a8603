import { readdirSync } from 'node:fs';
import { numberOf } from './cgroup-file.js';
import type { ReadFile } from './cgroup-files.js';
import type { CgroupMounts } from './cgroup-stats.js';
import type { Sample } from './metric-descriptors.js';

/** Huge pages by their size, where the kernel has them and something counts them; v2 does not remember the most. */
export const hugetlbSamples = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): Sample[] => {
  const old = v1['hugetlb'];
  const mountPoint = old ?? (v2?.controllers.includes('hugetlb') ? v2.mountPoint : undefined);
  if (mountPoint === undefined) return [];
  return pageSizes().flatMap((size): Sample[] => {
    const file = `${mountPoint}${path}/hugetlb.${size}`;
    const usage = numberOf(read(old ? `${file}.usage_in_bytes` : `${file}.current`));
    const most = old ? numberOf(read(`${file}.max_usage_in_bytes`)) : undefined;
    const labels = [size];
    return [
      ...(usage === undefined ? [] : [{ name: 'container_hugetlb_usage_bytes', value: usage, labels } as const]),
      ...(most === undefined ? [] : [{ name: 'container_hugetlb_max_usage_bytes', value: most, labels } as const]),
    ];
  });
};

/** As the files are named: 2MB, 1GB. */
export const pageSizeName = (kilobytes: number): string => {
  if (kilobytes >= 1 << 20) return `${kilobytes >> 20}GB`;
  return kilobytes >= 1 << 10 ? `${kilobytes >> 10}MB` : `${kilobytes}KB`;
};

let sizes: string[] | undefined;

/** A kernel's page sizes do not change while it runs. */
const pageSizes = (): string[] =>
  (sizes ??= list('/sys/kernel/mm/hugepages').flatMap((name) => {
    const kilobytes = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    return kilobytes === undefined ? [] : [pageSizeName(Number(kilobytes))];
  }));

const list = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return []; // a kernel without huge pages
  }
};
