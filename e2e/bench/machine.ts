import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { isUnified } from '../harness/cgroup.js';

/** What a reader must know of the machine to judge the figures. */
export const machineFacts = (): Array<[name: string, value: string]> => [
  ['kernel', `${release()}, rcu_expedited ${read('/sys/kernel/rcu_expedited') || 'unknown'}`],
  ['processor', `${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown'}`],
  ['memory', `${(totalmem() / 2 ** 30).toFixed(0)} GiB`],
  ['virtual machine', virtualisation()],
  ['cgroups', cgroupMode()],
  ['Node.js', process.version],
  ['CPU time from', isUnified ? "cpu.stat of the runtime's cgroup" : "cpuacct.usage of the runtime's cgroup"],
];

const cgroupMode = (): string => {
  if (isUnified) return 'version 2';
  return existsSync('/sys/fs/cgroup/unified/cgroup.procs')
    ? 'version 1, hybrid (crun sees version 1 only)'
    : 'version 1';
};

const virtualisation = (): string => {
  const isVirtual = /^flags\s*:.*\bhypervisor\b/m.test(read('/proc/cpuinfo'));
  return isVirtual ? 'yes: page faults are dear, which favours whoever runs fewer programs' : 'no';
};

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
};
