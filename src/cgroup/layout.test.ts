import t from 'tap';
import { detectLayout } from './layout.js';

const BASE = `23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
`;
const HYBRID = `${BASE}31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const controllers = (text: string) => (path: string) => {
  t.match(path, /\/cgroup\.controllers$/);
  return text;
};
const none = () => t.fail('no v2 file to read') as never;

t.test('hybrid: a mount per v1 controller, and a v2 with the rest', async (t) => {
  t.same(detectLayout(HYBRID, '/sys/fs/cgroup', controllers('hugetlb\n')), {
    mode: 'hybrid',
    v1: { cpu: '/sys/fs/cgroup/cpu', memory: '/sys/fs/cgroup/memory', 'name=systemd': '/sys/fs/cgroup/systemd' },
    v2: { mountPoint: '/sys/fs/cgroup/unified', controllers: ['hugetlb'], nsdelegate: false },
  });
});

t.test('v1: controllers that share a mount', async (t) => {
  const mountinfo = `${BASE}31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct
34 31 0:30 / /sys/fs/cgroup/a\\040b rw - cgroup cgroup rw,xattr,pids
`;
  t.same(detectLayout(mountinfo, '/sys/fs/cgroup', none), {
    mode: 'v1',
    v1: { cpu: '/sys/fs/cgroup/cpu,cpuacct', cpuacct: '/sys/fs/cgroup/cpu,cpuacct', pids: '/sys/fs/cgroup/a b' },
  });
});

t.test('v2: one mount', async (t) => {
  const mountinfo = `${BASE}31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n`;
  t.same(detectLayout(mountinfo, '/sys/fs/cgroup', controllers('cpu memory pids\n')), {
    mode: 'v2',
    v1: {},
    v2: { mountPoint: '/sys/fs/cgroup', controllers: ['cpu', 'memory', 'pids'], nsdelegate: true },
  });
  t.match(detectLayout(mountinfo, '/sys/fs/cgroup', controllers('\n')), { mode: 'v2', v2: { controllers: [] } });
});

t.test('v1 mounts that are covered by a v2 view do not count', async (t) => {
  const mountinfo = `${HYBRID}50 31 0:50 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n`;
  t.match(detectLayout(mountinfo, '/sys/fs/cgroup', controllers('hugetlb')), {
    mode: 'v2',
    v2: { mountPoint: '/sys/fs/cgroup' },
  });
});

t.test('cgroups that are mounted elsewhere do not count', async (t) => {
  const mountinfo = `${BASE}60 27 0:60 / /tmp/cgroup rw - cgroup2 cgroup2 rw\n`;
  t.throws(() => detectLayout(mountinfo, '/sys/fs/cgroup', none), {
    code: 9,
    message: /nothing is mounted under \/sys\/fs\/cgroup/,
  });
});
