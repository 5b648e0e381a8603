import { BlockList, isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';

/** A proxy to ask through. */
export interface Proxy {
  readonly url: URL;
  /** Value of a Proxy-Authorization header: a secret. */
  readonly authorization: string | undefined;
}

/** The proxies of this process, as Go programs take them from the environment (golang.org/x/net/http/httpproxy). */
export interface Proxies {
  readonly of: (url: URL) => Proxy | undefined;
  /** Variables that hold something else than an address: they count for nothing, as in Go. */
  readonly complaints: readonly string[];
}

const KINDS = ['http:', 'https:', 'socks5:', 'socks5h:'];
const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

export const proxiesOf = (environment: NodeJS.ProcessEnv): Proxies => {
  const complaints: string[] = [];
  const read = (name: string): Proxy | undefined => {
    const text = environment[name] || environment[name.toLowerCase()];
    const proxy = text ? parseProxy(text) : undefined;
    if (text && !proxy) complaints.push(`not the address of a proxy: variable ${name}; write http://host:port`);
    return proxy;
  };
  const proxies: Readonly<Record<string, Proxy | undefined>> = {
    'http:': read('HTTP_PROXY'),
    'https:': read('HTTPS_PROXY'),
  };
  const isExcluded = exclusions(environment['NO_PROXY'] || environment['no_proxy'] || '');
  return { of: (url) => (isExcluded(url) ? undefined : proxies[url.protocol]), complaints };
};

/** Without a scheme it speaks plain HTTP. */
const parseProxy = (text: string): Proxy | undefined => {
  const full = /^[a-z][a-z0-9+.-]*:\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) return undefined;
  const url = new URL(full);
  if (!KINDS.includes(url.protocol) || url.hostname === '') return undefined;
  try {
    const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    const authorization =
      user || password ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined;
    return { url: new URL(`${url.protocol}//${url.host}`), authorization };
  } catch {
    return undefined;
  }
};

type Exclusion = (host: string, port: string, isAddress: boolean) => boolean;

/** What is asked without a proxy: this machine, and what NO_PROXY lists. */
const exclusions = (list: string): ((url: URL) => boolean) => {
  const entries = list.split(',').map((entry) => entry.trim().toLowerCase());
  const all = entries.includes('*');
  const rules = entries.flatMap((entry) => exclusionOf(entry) ?? []);
  return ({ hostname, port, protocol }) => {
    const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
    const isAddress = isIP(host) !== 0;
    if (all || host === 'localhost' || (isAddress && LOOPBACK(host))) return true;
    return rules.some((matches) => matches(host, port || (PORTS[protocol] ?? ''), isAddress));
  };
};

/** `10.0.0.0/8`, `10.0.0.1`, `10.0.0.1:80`, `[fe80::1]:80`, `example.org`, `.example.org`, `*.example.org:80`. */
const exclusionOf = (entry: string): Exclusion | undefined => {
  const network = /^([^/]+)\/(\d{1,3})$/.exec(entry);
  if (network?.[1] && isIP(network[1]) && Number(network[2]) <= (isIPv6(network[1]) ? 128 : 32)) {
    const contains = addresses(network[1], Number(network[2]));
    return (host, _port, isAddress) => isAddress && contains(host);
  }
  const [name, wanted] = splitPort(entry);
  const hasPort = (port: string): boolean => wanted === '' || port === wanted;
  if (isIP(name)) {
    const contains = addresses(name, isIPv6(name) ? 128 : 32);
    return (host, port, isAddress) => isAddress && contains(host) && hasPort(port);
  }
  const bare = name.replace(/^\*(?=\.)/, '');
  if (bare === '') return undefined;
  const suffix = asciiOf(bare.startsWith('.') ? bare : `.${bare}`);
  return (host, port, isAddress) =>
    !isAddress && hasPort(port) && (host.endsWith(suffix) || (!bare.startsWith('.') && host === suffix.slice(1)));
};

/** A port follows a colon, and an address of version 6 then stands in brackets. */
const splitPort = (entry: string): [name: string, port: string] => {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(entry) ?? [];
  return [bracketed ?? plain ?? entry, port];
};

const asciiOf = (suffix: string): string => (/[^\0-\x7f]/.test(suffix) ? `.${domainToASCII(suffix.slice(1))}` : suffix);

const addresses = (network: string, bits: number): ((host: string) => boolean) => {
  const list = new BlockList();
  list.addSubnet(network, bits, isIPv6(network) ? 'ipv6' : 'ipv4');
  return (host) => list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
};

const LOOPBACK = (
  (v4, v6) => (host: string) =>
    v4(host) || v6(host)
)(addresses('127.0.0.0', 8), addresses('::1', 128));
