import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { failedPrecondition } from '../base/errors.js';
import { parseDuration } from './duration.js';
import { type Fields, isObject } from './manifest.js';

/** One place to ask for a registry's content: a mirror or the registry itself. */
export interface RegistryHost {
  readonly origin: string;
  /** Everything up to and including `/v2`. */
  readonly base: string;
  /** Host and port, as credentials are filed under. */
  readonly name: string;
  /** Not the registry that the reference names. It gets no credentials meant for that one. */
  readonly mirror: boolean;
  /** May it say which digest a tag has? */
  readonly resolves: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: HostTls;
  /** Time for a connection to be made, where the file says it. */
  readonly dialMs?: number;
}

export interface HostTls {
  readonly ca: readonly string[];
  readonly client?: { readonly cert: string; readonly key: string };
  readonly skipVerify: boolean;
}

/** Docker Hub answers under another name than its references carry. */
const SERVERS: Readonly<Record<string, string>> = { 'docker.io': 'https://registry-1.docker.io' };

/**
 * Where to look for a registry's content, in order: mirrors, then the registry. Read at each pull from `<directory>/<host>/hosts.toml`
 * or `_default/hosts.toml`, in containerd's format. Plain HTTP is used only where such a file says `http://` (CVE-2026-92543).
 */
export const readHosts = async (directory: string, domain: string): Promise<RegistryHost[]> => {
  const server = SERVERS[domain] ?? `https://${domain}`;
  for (const name of directoryNames(domain)) {
    const file = join(directory, name, 'hosts.toml');
    const text = await readOptional(file);
    if (text !== undefined) return await parseHosts(text, file, server);
  }
  return [await makeHost({}, server, 'hosts.toml', false)];
};

/** A colon cannot stand in every file name, so containerd also knows `host_port_`. */
const directoryNames = (domain: string): string[] => {
  const port = /^(.+):(\d+)$/.exec(domain);
  return [...(port ? [`${port[1]}_${port[2]}_`] : []), domain, '_default'];
};

export const parseHosts = async (text: string, file: string, server: string): Promise<RegistryHost[]> => {
  const table = parseToml(text, file);
  const mirrors = Object.entries(tableOf(table['host'], 'host', file)).map(([url, host]) =>
    makeHost(tableOf(host, `host."${url}"`, file), url, file, true),
  );
  const named = table['server'] ?? server;
  if (typeof named !== 'string') throw bad('not a string', 'server', file);
  const own = makeHost(table, named === '' ? server : named, file, false);
  return unique(await Promise.all([...mirrors, own]));
};

/** A place that is named twice, mostly as server and as its only host, is asked once, with what both say about it. */
const unique = (hosts: readonly RegistryHost[]): RegistryHost[] => {
  const places = new Map<string, RegistryHost>();
  for (const host of hosts) {
    const first = places.get(host.base);
    places.set(host.base, first ? merge(first, host) : host);
  }
  return [...places.values()];
};

const merge = (first: RegistryHost, second: RegistryHost): RegistryHost => {
  const client = first.tls.client ?? second.tls.client;
  return {
    ...(second.dialMs === undefined ? {} : { dialMs: second.dialMs }),
    ...first,
    mirror: first.mirror && second.mirror,
    resolves: first.resolves || second.resolves,
    headers: Object.assign(Object.create(null) as Record<string, string>, second.headers, first.headers),
    tls: {
      ca: [...new Set([...first.tls.ca, ...second.tls.ca])],
      ...(client ? { client } : {}),
      skipVerify: first.tls.skipVerify || second.tls.skipVerify,
    },
  };
};

const makeHost = async (table: Fields, url: string, file: string, mirror: boolean): Promise<RegistryHost> => {
  const full = url.includes('://') ? url : `https://${url}`;
  const target = URL.canParse(full) ? new URL(full) : undefined;
  if (
    !target ||
    !/^https?:$/.test(target.protocol) ||
    target.username ||
    target.password ||
    target.search ||
    target.hash
  )
    throw bad('not an address like https://host:port', `"${url.slice(0, 120)}"`, file);
  const path = target.pathname.replace(/\/+$/, '');
  const complete = table['override_path'] === true || path.endsWith('/v2');
  const capabilities = table['capabilities'] ?? ['pull', 'resolve'];
  if (!Array.isArray(capabilities)) throw bad('not a list', 'capabilities', file);
  return {
    origin: target.origin,
    base: `${target.origin}${complete ? path : `${path}/v2`}`,
    name: target.host,
    mirror,
    resolves: capabilities.includes('resolve'),
    headers: headersOf(table['header'], file),
    tls: await tlsOf(table, file),
    ...dialOf(table['dial_timeout'], file),
  };
};

const dialOf = (value: unknown, file: string): { dialMs?: number } => {
  if (value === undefined) return {};
  const dialMs = typeof value === 'string' ? parseDuration(value) : undefined;
  if (!dialMs) throw bad('not a time like "10s"', 'dial_timeout', file);
  return { dialMs };
};

const headersOf = (value: unknown, file: string): Record<string, string> => {
  const headers = Object.create(null) as Record<string, string>;
  for (const [name, content] of Object.entries(tableOf(value, 'header', file))) {
    const values = [content].flat();
    if (!values.every((item) => typeof item === 'string'))
      throw bad('not a string or a list of strings', `header.${name}`, file);
    headers[name.toLowerCase()] = values.join(', ');
  }
  return headers;
};

const tlsOf = async (table: Fields, file: string): Promise<HostTls> => {
  const read = (path: unknown): Promise<string> => {
    if (typeof path !== 'string') throw bad('not a file name', 'ca or client', file);
    return readFile(resolve(file, '..', path), 'utf8').catch((error: Error) => {
      throw failedPrecondition(`cannot read a certificate: ${error.message}, named in ${file}`);
    });
  };
  // One PEM file with both parts, a list of such files, or a list of [certificate, key]; the first is used.
  const client: unknown = Array.isArray(table['client']) ? table['client'][0] : table['client'];
  const [certFile, keyFile = certFile] = [client].flat();
  return {
    ca: await Promise.all([table['ca'] ?? []].flat().map(read)),
    ...(certFile === undefined ? {} : { client: { cert: await read(certFile), key: await read(keyFile) } }),
    skipVerify: table['skip_verify'] === true,
  };
};

const parseToml = (text: string, file: string): Fields => {
  try {
    return parse(text);
  } catch (error) {
    throw failedPrecondition(
      `not TOML: ${file}: ${error instanceof Error ? error.message.split('\n')[0] : ''}; mend the file`,
    );
  }
};

const tableOf = (value: unknown, key: string, file: string): Fields => {
  if (value === undefined) return {};
  if (isObject(value)) return value;
  throw bad('not a table', key, file);
};

const bad = (cause: string, key: string, file: string) =>
  failedPrecondition(`${cause}: ${key} in ${file}; mend the file`);

const readOptional = async (file: string): Promise<string | undefined> => {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw failedPrecondition(`cannot read the registry configuration: ${(error as Error).message}`);
  }
};
