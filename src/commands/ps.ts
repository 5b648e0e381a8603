import type { Config } from '../base/config.js';
import { age } from './amounts.js';
import { withDaemon } from './client.js';
import { listNode, type NodeLists } from './node-lists.js';
import { table } from './table.js';

const DEADLINE_MS = 10_000;
const HEADERS = ['NAMESPACE', 'POD', 'CONTAINER', 'ID', 'STATE', 'AGE', 'RESTARTS', 'IMAGE'];

/** Pods with their containers below them: a pod without any has a line of its own. */
export const runPs = (config: Pick<Config, 'socket'>, all: boolean, output: 'table' | 'json'): Promise<void> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const rows = rowsOf(await listNode(call), all);
    process.stdout.write(output === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : table(HEADERS, rows.map(cells)));
  });

interface Row {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly id: string;
  readonly podId: string;
  readonly state: string;
  readonly createdAt: string;
  readonly restarts: number;
  readonly image: string;
}

/** Without `all`: what is ready or runs. */
export const rowsOf = ({ pods, containers }: NodeLists, all: boolean): Row[] =>
  pods
    .filter(({ state }) => all || state === 'SANDBOX_READY')
    .map(({ id: podId, metadata, state, createdAt }) => {
      const pod = { namespace: metadata?.namespace ?? '', pod: metadata?.name ?? '', podId };
      const inside = containers
        .filter((one) => one.podSandboxId === podId && (all || one.state !== 'CONTAINER_EXITED'))
        .map((one) => ({
          ...pod,
          container: one.metadata?.name ?? '',
          id: one.id,
          state: one.state.replace('CONTAINER_', '').toLowerCase(),
          createdAt: one.createdAt,
          restarts: one.metadata?.attempt ?? 0,
          image: one.image?.image ?? '',
        }));
      const empty = { container: '', id: podId, restarts: 0, image: '', createdAt };
      return inside.length > 0 ? inside : [{ ...pod, ...empty, state: state.replace('SANDBOX_', '').toLowerCase() }];
    })
    .flat()
    .sort((one, other) => (sortKey(one) < sortKey(other) ? -1 : 1));

const sortKey = ({ namespace, pod, container }: Row): string => [namespace, pod, container].join('\0');

const cells = ({ namespace, pod, container, id, state, createdAt, restarts, image }: Row): string[] => [
  namespace,
  pod,
  container === '' ? '-' : container,
  id.slice(0, 12),
  state,
  age(createdAt),
  String(restarts),
  image,
];
