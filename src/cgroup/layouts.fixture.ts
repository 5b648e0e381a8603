import type { CgroupLayout } from './layout.js';

/** Layouts as hosts have them, over any directory. */
export const v1Layout = (root: string): CgroupLayout => ({
  mode: 'v1',
  v1: Object.fromEntries(
    ['cpu', 'cpuacct', 'cpuset', 'memory', 'devices', 'blkio', 'pids', 'hugetlb'].map((name) => [
      name,
      `${root}/${name}`,
    ]),
  ),
});

export const hybridLayout = (root: string): CgroupLayout => {
  const { hugetlb: _, ...v1 } = v1Layout(root).v1;
  return {
    mode: 'hybrid',
    v1: { ...v1, 'name=systemd': `${root}/systemd` },
    v2: { mountPoint: `${root}/unified`, controllers: ['hugetlb'], nsdelegate: false },
  };
};

export const v2Layout = (root: string): CgroupLayout => ({
  mode: 'v2',
  v1: {},
  v2: { mountPoint: root, controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma'], nsdelegate: true },
});
