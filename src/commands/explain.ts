import type { Config } from '../base/config.js';
import type { ExplainedContainer, ExplainedPod, Use } from '../control/explain.js';
import { bytes } from './amounts.js';
import { withDaemon } from './client.js';
import { control } from './control.js';
import { find } from './find.js';
import { listNode } from './node-lists.js';
import { table } from './table.js';
import { waterfall } from './waterfall.js';

const DEADLINE_MS = 10_000;

/** Prints what the kernel enforces on a pod or a container, and where the time of its start went. */
export const runExplain = (
  config: Pick<Config, 'socket' | 'control'>,
  name: string,
  output: 'table' | 'json',
): Promise<void> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const { kind, id } = find(name, await listNode(call));
    const explained = await control<ExplainedPod | ExplainedContainer>(config, `/v1/${kind}s/explain`, { id });
    if (output === 'json') process.stdout.write(`${JSON.stringify(explained, null, 2)}\n`);
    else process.stdout.write('containers' in explained ? podText(explained) : containerText(explained));
  });

const podText = (pod: ExplainedPod): string =>
  [
    `pod ${pod.namespace}/${pod.name}, ${pod.state.replace('SANDBOX_', '').toLowerCase()}\n`,
    facts([
      ['id', pod.id],
      ['handler', pod.handler],
      ['addresses', pod.ips.join(', ') || "the node's"],
      ['cgroup', pod.cgroup],
    ]),
    uses(pod.uses),
    section(
      'containers',
      table(
        ['NAME', 'ID', 'PID', 'WHY'],
        pod.containers.map(({ name, id, pid, why }) => [name, id.slice(0, 12), String(pid), why.cause]),
      ),
    ),
    section('timeline', waterfall(pod.timeline)),
  ].join('');

const containerText = (container: ExplainedContainer): string =>
  [
    `container ${container.name}, ${container.why.state.replace('CONTAINER_', '').toLowerCase()}: ${container.why.cause}\n`,
    facts([
      ['id', container.id],
      ['pid', String(container.pid)],
      ['image', container.image],
      ['cgroup', container.cgroup],
    ]),
    uses(container.uses),
    section(
      'namespaces',
      table(
        ['KIND', 'IDENTITY', 'SHARED WITH'],
        container.namespaces.map(({ kind, identity, sharedWith }) => [
          kind,
          identity,
          sharedWith.join(', ') || 'nobody',
        ]),
      ),
    ),
    security(container),
    section(
      'mounts',
      table(
        ['DESTINATION', 'TYPE', 'OPTIONS', 'SOURCE'],
        (container.process?.mounts ?? []).map(({ destination, type, source, root, options }) => [
          destination,
          type,
          options,
          root === '/' ? source : `${source}:${root}`,
        ]),
      ),
    ),
    section('timeline', waterfall(container.timeline)),
  ].join('');

/** Of a container that runs. */
const security = ({ process: running }: ExplainedContainer): string => {
  if (!running) return '';
  const { capabilities, noNewPrivileges, seccomp, securityModule, user } = running;
  const set = (names: readonly string[]) => names.map((name) => name.replace('CAP_', '')).join(' ') || 'none';
  return section(
    'security',
    facts([
      ['user', user],
      ['capabilities', set(capabilities.effective)],
      ['can be had', set(capabilities.bounding)],
      ['new privileges', noNewPrivileges ? 'never' : 'by set-user-ID programs'],
      ['seccomp', seccomp],
      ['security module', securityModule || 'none'],
    ]),
  );
};

const uses = (all: readonly Use[]): string =>
  section(
    'limits',
    table(
      ['WHAT', 'USED', 'LIMIT'],
      all.map(({ what, used, limit }) => [what, amount(what, used), limit < 0 ? 'none' : amount(what, limit)]),
    ),
  );

const amount = (what: string, value: number): string => (what.endsWith('bytes') ? bytes(value) : String(value));

const facts = (rows: ReadonlyArray<readonly [name: string, value: string]>): string =>
  rows.map(([name, value]) => `  ${name.padEnd(16)} ${value}\n`).join('');

const section = (title: string, text: string): string => (text === '' ? '' : `\n${title}:\n${text}`);
