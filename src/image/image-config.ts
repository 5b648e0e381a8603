import { failedPrecondition } from '../base/errors.js';
import { dataLoss, type Digest, parseDigest, quote } from './digest.js';
import { type Fields, isObject, parseObject, type Platform } from './manifest.js';

/** The part of an image's configuration that a container starts from: data of a stranger, frozen, shared by all its containers. */
export interface ImageConfig {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly stopSignal: string;
  readonly volumes: readonly string[];
  /** Shown, and nothing else: a label never selects behaviour (CVE-2026-53488). */
  readonly labels: Readonly<Record<string, string>>;
  /** Shown, and nothing else. */
  readonly created: string;
  readonly os: string;
  readonly architecture: string;
}

/** @throws DATA_LOSS when a field has another type than the OCI image specification gives it. */
export const parseImageConfig = (
  bytes: Uint8Array,
  what: string,
): { config: ImageConfig; diffIds: Digest[]; platform: Platform } => {
  const body = parseObject(bytes, `config of ${what}`);
  const [os, architecture, variant] = (['os', 'architecture', 'variant'] as const).map((field) =>
    text(body[field], field, what),
  ) as [string, string, string];
  const rootfs = body['rootfs'];
  if (!isObject(rootfs) || rootfs['type'] !== 'layers') throw dataLoss(`no rootfs of type "layers": config of ${what}`);
  const diffIds = array(rootfs['diff_ids'], 'rootfs.diff_ids', what).map((id) =>
    parseDigest(id, `diff_ids of ${what}`),
  );
  for (const id of diffIds)
    if (!id.startsWith('sha256:')) throw failedPrecondition(`diff ID is not sha256: ${quote(id)} of ${what}`);
  const run = body['config'] ?? {};
  if (!isObject(run)) throw dataLoss(`not an object: field "config" in the config of ${what}`);
  const created = text(body['created'], 'created', what);
  const config = Object.freeze({ ...parseRun(run, what), created, os, architecture });
  return { config, diffIds, platform: { os, architecture, variant } };
};

const parseRun = (run: Fields, what: string): Omit<ImageConfig, 'created' | 'os' | 'architecture'> => {
  const strings = (field: string): readonly string[] =>
    Object.freeze(array(run[field], field, what).map((value) => text(value, field, what)));
  return {
    env: strings('Env'),
    entrypoint: strings('Entrypoint'),
    cmd: strings('Cmd'),
    user: user(text(run['User'], 'User', what), what),
    workingDir: text(run['WorkingDir'], 'WorkingDir', what),
    stopSignal: text(run['StopSignal'], 'StopSignal', what),
    volumes: Object.freeze(Object.keys(object(run['Volumes'], 'Volumes', what))),
    labels: labels(object(run['Labels'], 'Labels', what), what),
  };
};

/** Lists show it, so it is kept in memory: two names (LOGIN_NAME_MAX is 256) and more. */
const LONGEST_USER = 1024;
const user = (value: string, what: string): string => {
  if (value.length > LONGEST_USER)
    throw dataLoss(`longer than ${LONGEST_USER} characters: User in the config of ${what}`);
  return value;
};

/** No prototype: a label called `__proto__` is a label. */
const labels = (values: Fields, what: string): Readonly<Record<string, string>> => {
  const result = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(values)) result[key] = text(value, 'Labels', what);
  return Object.freeze(result);
};

// Go writes an absent list, map or string as null.
const array = (value: unknown, field: string, what: string): unknown[] => {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw dataLoss(`not a list: field ${quote(field)} in the config of ${what}`);
};

const object = (value: unknown, field: string, what: string): Fields => {
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw dataLoss(`not an object: field ${quote(field)} in the config of ${what}`);
};

const text = (value: unknown, field: string, what: string): string => {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw dataLoss(`not a string: field ${quote(field)} in the config of ${what}`);
};
