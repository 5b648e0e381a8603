import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import * as z from 'zod';
import { absolutePath as path } from './absolute-path.js';
import { NriSchema } from './nri-config.js';

/** RLIMIT_* of setrlimit(2), as docker names them. */
const ULIMITS = z.enum([
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]);
const ulimit = z.union([z.number().int().min(0), z.literal('unlimited')]);
type Ulimit = z.infer<typeof ulimit>;

const isOrdered = ({ soft, hard }: { soft: Ulimit; hard: Ulimit }): boolean =>
  hard === 'unlimited' || (soft !== 'unlimited' && soft <= hard);

/** The daemon's configuration, version 1. Every key has a default; an unknown key is an error. */
export const ConfigSchema = z.strictObject({
  version: z.literal(1).default(1),
  /** Images, layers, writable layers, journal: survives a reboot. */
  root: path.default('/var/lib/jangada'),
  /** Sockets, exit records, the pods' hosts and resolv.conf: a tmpfs, gone after a reboot. */
  state: path.default('/run/jangada'),
  socket: path.default('/run/jangada/jangada.sock'),
  /** What the kubelet shows of this node's runtime, in Node.status and before container IDs: tools that know few names read it. */
  runtime_name: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits, "-"')
    .default('jangada'),
  /** Be found where tools look for another runtime: a second socket with the CRI and the questions that cAdvisor asks containerd. */
  compat: z.enum(['containerd']).optional(),
  compat_socket: path.default('/run/containerd/containerd.sock'),
  control: z
    .strictObject({
      /** Where `jangada image` and other tools ask what the CRI has no words for: HTTP and JSON, root alone. */
      socket: path.default('/run/jangada/control.sock'),
    })
    .prefault({}),
  /** Where network namespaces are pinned; `ip netns` shows /run/netns. */
  netns_dir: path.default('/run/netns'),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info') })
    .prefault({}),
  cni: z
    .strictObject({
      conf_dir: path.default('/etc/cni/net.d'),
      bin_dirs: z.array(path).min(1).default(['/opt/cni/bin', '/usr/lib/cni']),
      cache_dir: path.default('/var/lib/jangada/cni'),
      /** Template of the CNI configuration that is made when the kubelet tells the pods' address range. */
      conf_template: path.optional(),
    })
    .prefault({}),
  cdi: z
    .strictObject({
      /** Directories of CDI files. Of two files that describe one device the one in the later directory counts; none: no CDI. */
      spec_dirs: z.array(path).default(['/etc/cdi', '/var/run/cdi']),
    })
    .prefault({}),
  images: z
    .strictObject({
      /** Archives of images that are put here are imported and kept: nodes without a registry. */
      directory: path.default('/var/lib/jangada/images.d'),
    })
    .prefault({}),
  nri: NriSchema,
  registry: z
    .strictObject({
      /** Directory with `<host>/hosts.toml`, in containerd's layout. */
      config_path: path.default('/etc/jangada/certs.d'),
      /** The node's own credentials: a docker config.json, credential helpers included. */
      docker_config: path.optional(),
    })
    .prefault({}),
  /** External OCI runtimes, by the name that a RuntimeClass uses as its handler. */
  runtimes: z
    .record(
      z
        .string()
        .regex(
          /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
          'a handler is named as a DNS label: lower-case letters, digits, "-"',
        )
        .refine((name) => name !== 'native', 'the handler "native" is built in'),
      z.strictObject({ path }),
    )
    .default({}),
  streaming: z
    .strictObject({
      /** Where exec, attach and port-forward are served; the kubelet is a neighbour, nobody else needs to get there. */
      address: z.union([z.ipv4(), z.ipv6()], 'must be an IP address').default('127.0.0.1'),
      /** 0: one that is free. */
      port: z.number().int().min(0).max(65_535).default(0),
      /** Seconds without a byte in either direction after which a connection is closed; 0: never. */
      idle_timeout: z.number().int().min(0).max(2_000_000).default(14_400),
      /** With a certificate and its key: TLS. Both are read again when they change. */
      tls_cert: path.optional(),
      tls_key: path.optional(),
      /** With it clients have to show a certificate of one of these authorities. */
      tls_client_ca: path.optional(),
    })
    .refine(
      ({ tls_cert, tls_key }) => (tls_cert === undefined) === (tls_key === undefined),
      'tls_cert and tls_key belong together',
    )
    .refine(
      ({ tls_cert, tls_client_ca }) => tls_cert !== undefined || tls_client_ca === undefined,
      'tls_client_ca needs tls_cert',
    )
    .prefault({}),
  containers: z
    .strictObject({
      /** Most processes and threads in one container; 0 leaves it to the node. */
      pids_limit: z.number().int().min(0).max(4_194_304).default(0),
      /** Mount the container's own cgroup read-write: containers that manage cgroups below it, such as systemd. v2 only. */
      cgroup_writable: z.boolean().default(false),
      /** Processes without CAP_NET_BIND_SERVICE may listen on ports below 1024 of a pod's own network. */
      enable_unprivileged_ports: z.boolean().default(true),
      /** Processes without CAP_NET_RAW may ping from a pod's own network; not in user namespaces. */
      enable_unprivileged_icmp: z.boolean().default(true),
      /** A privileged container gets the devices it asks for instead of all of the node's. */
      privileged_without_host_devices: z.boolean().default(false),
      /** Directories of files that name hooks for containers, as CRI-O and podman have them: oci-hooks(5). A later one wins. */
      hooks_dir: z.array(path).default([]),
      /** Who makes cgroups; auto: systemd where it runs the host and cgroup v2 is the only hierarchy. */
      cgroup_driver: z.enum(['auto', 'cgroupfs', 'systemd']).default('auto'),
      /**
       * With the systemd driver a container's scope is `<scope_prefix>-<ID>.scope`. Security and network agents know containers by the names
       * of those runtimes that they know.
       */
      scope_prefix: z
        .string()
        .regex(/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/, 'must be 1 to 64 letters, digits, "-", "_" or "."')
        .default('cri-containerd'),
      /** Resource limits of every container by their names, for example `nofile = { soft = 1024, hard = 524288 }`. */
      ulimits: z
        .partialRecord(ULIMITS, z.strictObject({ soft: ulimit, hard: ulimit }).refine(isOrdered, 'soft is above hard'))
        .default({}),
      /** cgroup under which pods without a cgroup parent live: by default /jangada, with the systemd driver jangada.slice. */
      default_cgroup_parent: z
        .string()
        .regex(
          /^(\/[A-Za-z0-9._-]+)+$|^[A-Za-z0-9:_.-]+\.slice$/,
          'must be an absolute cgroup path or the name of a slice',
        )
        .optional(),
    })
    .prefault({}),
});

export type Config = Readonly<z.infer<typeof ConfigSchema>>;

/** A configuration that cannot be used; the message names file, line and the way out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Reads `file` and then `file`'s sibling directory config.d/*.toml in lexical order, later keys winning; `base` is what they win over. */
export const loadConfig = (file: string, base: Record<string, unknown> = {}): Config => {
  const dropIns = listDropIns(join(file, '..', 'config.d'));
  let merged = base;
  for (const source of [file, ...dropIns]) {
    const text = readFileSync(source, 'utf8');
    const part = parseFile(source, text);
    checkFile(source, text, part);
    merged = merge(merged, part);
  }
  return ConfigSchema.parse(merged);
};

export const DEFAULT_CONFIG = '/etc/jangada/config.toml';

/** Only the file that nobody named may be absent. */
export const readConfig = (file: string | undefined, otherwise = DEFAULT_CONFIG, base = {}): Config =>
  file !== undefined || existsSync(otherwise) ? loadConfig(file ?? otherwise, base) : ConfigSchema.parse(base);

export const defaultConfig = (): Config => ConfigSchema.parse({});

const listDropIns = (directory: string): string[] => {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.toml'))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return []; // no directory, no drop-ins
  }
};

const parseFile = (file: string, text: string): Record<string, unknown> => {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof TomlError)
      throw new ConfigError(`not TOML: ${file}:${error.line}:${error.column}: ${error.message.split('\n')[0]}`);
    throw error;
  }
};

const checkFile = (file: string, text: string, part: Record<string, unknown>): void => {
  const result = ConfigSchema.safeParse(part);
  const issue = result.error?.issues[0];
  if (!issue) return;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const near = nearest(key, knownKeys(issue.path));
    throw new ConfigError(
      `unknown key "${[...issue.path, key].join('.')}": ${file}:${lineOf(text, key)}${near ? `; did you mean "${near}"?` : ''}`,
    );
  }
  const key = String(issue.path.at(-1) ?? '');
  if (issue.code === 'invalid_key')
    throw new ConfigError(
      `bad name "${issue.path.join('.')}": ${file}:${lineOf(text, `[${issue.path.join('.')}`)}: ${issue.issues[0]?.message}`,
    );
  throw new ConfigError(`bad value of "${issue.path.join('.')}": ${file}:${lineOf(text, key)}: ${issue.message}`);
};

const lineOf = (text: string, key: string): number => {
  const index = text.split('\n').findIndex((line) => line.trimStart().startsWith(key) || line.trim() === `[${key}]`);
  return index + 1;
};

const knownKeys = (at: PropertyKey[]): string[] => {
  let value: unknown = defaultConfig();
  for (const step of at) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return Object.keys(value ?? {});
};

/** The known name at the smallest edit distance, when that is small enough to be a typing slip. */
const nearest = (word: string, names: string[]): string | undefined => {
  const ranked = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(2, word.length / 3) ? best.name : undefined;
};

const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
};

const merge = (base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> => {
  const result = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = result[key];
    result[key] = isTable(old) && isTable(value) ? merge(old, value) : value;
  }
  return result;
};

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
