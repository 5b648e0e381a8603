import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { failedPrecondition, invalidArgument } from '../base/errors.js';

/** After what a network add-on installs, which is named `10-…` by custom: the first name wins. */
const FILE = '20-jangada-pod-cidr.conflist';
const MAX_RANGES = 16;

/** The ranges of NetworkConfig.pod_cidr: `10.1.0.0/24`, or several separated by commas on a dual-stack node. */
export const podRanges = (text: string): string[] => {
  const ranges = text.split(',').map((range) => range.trim());
  const wrong = ranges.find((range) => !isRange(range)) ?? (ranges.length > MAX_RANGES ? text : undefined);
  if (wrong !== undefined)
    throw invalidArgument(`not an address range: pod_cidr "${wrong.slice(0, 200)}"; write for example "10.1.0.0/24"`);
  return ranges;
};

const isRange = (text: string): boolean => {
  const [, address = '', length = ''] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(length) <= (family === 4 ? 32 : 128);
};

/** A template with its three words filled in: `{{subnet}}` in a string, `"{{ranges}}"` and `"{{routes}}"` instead of an array. */
export const renderTemplate = (template: string, ranges: readonly string[]): string => {
  const routes = [...new Set(ranges.map((range) => (range.includes(':') ? '::/0' : '0.0.0.0/0')))];
  return template
    .replaceAll('{{subnet}}', ranges[0] ?? '')
    .replaceAll('"{{ranges}}"', JSON.stringify(ranges.map((subnet) => [{ subnet }])))
    .replaceAll('"{{routes}}"', JSON.stringify(routes.map((dst) => ({ dst }))));
};

/** Makes the CNI configuration for these ranges from a template; the network takes it up by itself. True when it is another one now. */
export const writePodNetwork = async (
  confDir: string,
  template: string,
  ranges: readonly string[],
): Promise<boolean> => {
  const text = renderTemplate(await readTemplate(template), ranges);
  try {
    JSON.parse(text);
  } catch (error) {
    throw failedPrecondition(
      `not JSON: CNI template ${template}: ${(error as Error).message}; correct cni.conf_template`,
    );
  }
  const path = join(confDir, FILE);
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return false;
  await mkdir(confDir, { recursive: true, mode: 0o755 });
  // Not *.conflist while it is being written: the directory is watched.
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return true;
};

const readTemplate = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw failedPrecondition(`${(error as Error).message} (cni.conf_template)`);
  }
};
