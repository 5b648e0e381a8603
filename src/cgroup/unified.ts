import { invalidArgument } from '../base/errors.js';
import { type CgroupLayout, v2Mount } from './layout.js';
import type { Resources } from './limits.js';

const KEY = /^[a-z_]+\.[a-zA-Z0-9_.]+$/;
const MAX_VALUE = 4096;

/**
 * Checks the keys of `unified` against this host. `pids.max` becomes the pids limit, because it has the same meaning on
 * v1 and the kubelet has no other way to ask; every other key is a file of v2 and must be in a controller that v2 has
 * here.
 */
export const splitUnified = (
  layout: CgroupLayout,
  resources: Resources,
): { keys: Array<[key: string, value: string]>; resources: Resources } => {
  const { unified = {}, ...rest } = resources;
  const keys = Object.entries(unified);
  for (const [key, value] of keys) check(layout, key, value);
  const pidsMax = unified['pids.max'];
  return {
    keys: keys.filter(([key]) => key !== 'pids.max'),
    resources: pidsMax === undefined ? rest : { ...rest, pids: { limit: pidsLimit(pidsMax) } },
  };
};

const check = (layout: CgroupLayout, key: string, value: string): void => {
  const [controller = ''] = key.split('.');
  if (!KEY.test(key)) throw invalidArgument(`not a cgroup v2 file name: unified key "${key}"`);
  // cgroup.procs, cgroup.type and their like are no limits: they move and kill processes, of others too.
  if (controller === 'cgroup')
    throw invalidArgument(`core cgroup file: unified key "${key}"; only files of a controller can be set`);
  if (value.length > MAX_VALUE || /[\n\0]/.test(value))
    throw invalidArgument(`not one line of text: value of unified key "${key}"`);
  if (key === 'pids.max' || v2Mount(layout, controller)) return;
  throw invalidArgument(
    layout.mode === 'v2'
      ? `controller "${controller}" is not available: unified key "${key}"`
      : `cgroup v1 host: unified key "${key}" needs the controller "${controller}" on cgroup v2; only pids.max works here`,
  );
};

const pidsLimit = (text: string): number => {
  if (text === 'max') return -1;
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw invalidArgument(
      `not a number of processes: unified key "pids.max" is "${text}"; write a number above 0 or "max"`,
    );
  return Number(text);
};
