import { readFileSync } from 'node:fs';
import { invalidArgument } from '../base/errors.js';
import type { OciLimits } from '../oci/spec.js';

/** What is online now, as the kernel lists it: sorted, neighbours in one range. Undefined where it does not tell. */
interface Online {
  readonly cpus: string | undefined;
  readonly mems: string | undefined;
}

type Range = readonly [first: number, last: number];

/** The kernel takes such a list with an error that names nothing, or takes it and uses other CPUs. */
export const checkOnline = ({ cpu }: Pick<OciLimits, 'cpu'>, online: Online = readOnline()): void => {
  check('cpuset_cpus', cpu?.cpus, online.cpus);
  check('cpuset_mems', cpu?.mems, online.mems);
};

const check = (field: string, wanted: string | undefined, online: string | undefined): void => {
  if (!wanted || online === undefined) return;
  const there = ranges(online);
  for (const [first, last] of ranges(wanted))
    if (first > last || !there.some(([from, to]) => from <= first && last <= to))
      throw invalidArgument(
        `not online: ${first === last ? first : `${first}-${last}`} of ${field} "${wanted}"; online is ${online}`,
      );
};

const ranges = (list: string): Range[] =>
  list.split(',').map((part) => {
    const [first = '', last = first] = part.split('-');
    return [Number(first), Number(last)];
  });

const readOnline = (): Online => ({ cpus: read('cpu'), mems: read('node') });

const read = (what: 'cpu' | 'node'): string | undefined => {
  try {
    return readFileSync(`/sys/devices/system/${what}/online`, 'utf8').trim() || undefined;
  } catch {
    return undefined; // a kernel without NUMA, or without hotplug
  }
};
