import { open } from 'node:fs/promises';
import type { Config } from '../base/config.js';
import type { ExplainedContainer } from '../control/explain.js';
import type { ContainerStatusResponse__Output } from '../gen/runtime/v1/ContainerStatusResponse.js';
import { type Call, withDaemon } from './client.js';
import { control } from './control.js';
import { find } from './find.js';
import { listNode } from './node-lists.js';

const DEADLINE_MS = 10_000;
const LOG_LINES = 5;
const LOG_BYTES = 8 << 10;

/** Prints why a container has ended or does not run, and the end of its log. */
export const runWhy = (
  config: Pick<Config, 'socket' | 'control'>,
  name: string,
  output: 'table' | 'json',
): Promise<void> =>
  withDaemon(config, DEADLINE_MS, async (call) => {
    const { id } = find(name, await listNode(call), ['container']);
    const explained = await control<ExplainedContainer>(config, '/v1/containers/explain', { id });
    const log = await lastLines(call, id);
    const { why, image } = explained;
    if (output === 'json') {
      process.stdout.write(`${JSON.stringify({ id, name: explained.name, image, ...why, log }, null, 2)}\n`);
      return;
    }
    const state = why.state.replace('CONTAINER_', '').toLowerCase();
    process.stdout.write(
      [
        `${explained.name} (${id.slice(0, 12)}), ${state}: ${why.cause}`,
        ...(why.remedy === '' ? [] : [`what to do: ${why.remedy}`]),
        ...why.facts.map((fact) => `  ${fact}`),
        ...(log.length > 0 ? ['the end of its log:', ...log.map((line) => `  ${line}`)] : []),
        '',
      ].join('\n'),
    );
  });

const lastLines = async (call: Call, containerId: string): Promise<string[]> => {
  const { status } = await call<ContainerStatusResponse__Output>('ContainerStatus', { containerId });
  const file = status?.logPath ? await open(status.logPath, 'r').catch(() => undefined) : undefined;
  if (!file) return []; // it has none, or somebody has taken it away
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_BYTES), 0, LOG_BYTES, Math.max(0, size - LOG_BYTES));
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-LOG_LINES).filter(Boolean);
  } finally {
    await file.close();
  }
};
