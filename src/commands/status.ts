import { statfs } from 'node:fs/promises';
import type { Config } from '../base/config.js';
import type { Failures } from '../control/failures.js';
import type { ImageFsInfoResponse__Output } from '../gen/runtime/v1/ImageFsInfoResponse.js';
import type { ListImagesResponse__Output } from '../gen/runtime/v1/ListImagesResponse.js';
import type { StatusResponse__Output } from '../gen/runtime/v1/StatusResponse.js';
import { bytes } from './amounts.js';
import { type Call, withDaemon } from './client.js';
import { control } from './control.js';
import { listNode, type NodeLists } from './node-lists.js';
import { table } from './table.js';

const DEADLINE_MS = 10_000;
const SHOWN_FAILURES = 5;

/** Prints the node at a glance. Resolves to the exit status: 1 when a condition does not hold. */
export const runStatus = (
  config: Pick<Config, 'socket' | 'control' | 'root'>,
  output: 'table' | 'json',
): Promise<number> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const status = await gather(call, config);
    process.stdout.write(output === 'json' ? `${JSON.stringify(status, null, 2)}\n` : text(status));
    return status.conditions.every(({ status: holds }) => holds) ? 0 : 1;
  });

interface NodeStatus {
  readonly runtime: Record<string, unknown>;
  readonly conditions: NonNullable<StatusResponse__Output['status']>['conditions'];
  readonly pods: Record<string, number>;
  readonly containers: Record<string, number>;
  readonly images: number;
  readonly disk: { readonly path: string; readonly imageBytes: number; readonly free: number; readonly size: number };
  readonly failures: Failures['failures'];
}

const gather = async (call: Call, config: Pick<Config, 'control' | 'root'>): Promise<NodeStatus> => {
  const [{ status, info }, lists, { images }, { imageFilesystems }, { failures }, disk] = await Promise.all([
    call<StatusResponse__Output>('Status', { verbose: true }),
    listNode(call),
    call<ListImagesResponse__Output>('ListImages', {}),
    call<ImageFsInfoResponse__Output>('ImageFsInfo', {}),
    control<Failures>(config, '/v1/failures', {}),
    statfs(config.root),
  ]);
  return {
    runtime: JSON.parse(info['runtime'] ?? '{}') as Record<string, unknown>,
    conditions: status?.conditions ?? [],
    ...counts(lists),
    images: images.length,
    disk: {
      path: config.root,
      imageBytes: Number(imageFilesystems[0]?.usedBytes?.value ?? 0),
      free: disk.bavail * disk.bsize,
      size: disk.blocks * disk.bsize,
    },
    failures,
  };
};

/** How many there are in which state. */
export const counts = ({ pods, containers }: NodeLists): Pick<NodeStatus, 'pods' | 'containers'> => ({
  pods: tally(pods.map(({ state }) => state.replace('SANDBOX_', ''))),
  containers: tally(containers.map(({ state }) => state.replace('CONTAINER_', ''))),
});

const tally = (states: readonly string[]): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const state of states) found[state.toLowerCase()] = (found[state.toLowerCase()] ?? 0) + 1;
  return found;
};

const text = ({ runtime, conditions, pods, containers, images, disk, failures }: NodeStatus): string => {
  const line = (name: string, value: string) => `${name.padEnd(12)} ${value}\n`;
  const sum = (found: Record<string, number>) =>
    Object.entries(found)
      .map(([state, count]) => `${count} ${state}`)
      .join(', ') || 'none';
  const last = failures.slice(-SHOWN_FAILURES);
  return [
    line(
      'jangada',
      `${String(runtime['version'])}, Node.js ${String(runtime['node'])}, Linux ${String(runtime['kernel'])}, cgroups ${String(runtime['cgroups'])}`,
    ),
    ...conditions.map(({ type, status, message }) => line(type, status ? 'yes' : `no: ${message}`)),
    line('pods', sum(pods)),
    line('containers', sum(containers)),
    line('images', `${images}, ${bytes(disk.imageBytes)}`),
    line('disk', `${bytes(disk.free)} free of ${bytes(disk.size)} at ${disk.path}`),
    last.length === 0
      ? ''
      : `\nthe last failures:\n${table(
          ['WHEN', 'WHAT', 'OF', 'WHY'],
          last.map(({ begunAt, what, name, error }) => [new Date(begunAt).toISOString(), what, name, error ?? '']),
        )}`,
  ].join('');
};
