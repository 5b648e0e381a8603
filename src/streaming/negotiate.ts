import type { StreamRequest } from '../lifecycle/stream-request.js';

/** Versions of the protocol for standard streams (k8s.io/apimachinery, remotecommand): 3 resizes, 4 has a status object, 5 half-closes. */
export type RemoteVersion = 1 | 2 | 3 | 4 | 5;

export type Agreement =
  /** `protocol` is told to the client; empty when it offered none. */
  | { readonly transport: 'spdy'; readonly protocol: string; readonly version: RemoteVersion }
  | {
      readonly transport: 'websocket';
      readonly protocol: string;
      readonly version: RemoteVersion;
      readonly base64: boolean;
    }
  /** SPDY in messages of a WebSocket. */
  | { readonly transport: 'tunnel'; readonly protocol: string };

export interface Refusal {
  readonly refused: { readonly code: number; readonly text: string; readonly accepted?: readonly string[] };
}

const REMOTE_SPDY: Readonly<Record<string, RemoteVersion>> = {
  'v4.channel.k8s.io': 4,
  'v3.channel.k8s.io': 3,
  'v2.channel.k8s.io': 2,
  'channel.k8s.io': 1,
};

const REMOTE_WEBSOCKET: Readonly<Record<string, { version: RemoteVersion; base64: boolean }>> = {
  'v5.channel.k8s.io': { version: 5, base64: false },
  'v4.channel.k8s.io': { version: 4, base64: false },
  'v4.base64.channel.k8s.io': { version: 4, base64: true },
  'channel.k8s.io': { version: 1, base64: false },
  'base64.channel.k8s.io': { version: 1, base64: true },
};

const PORT_FORWARD = 'portforward.k8s.io';
const TUNNEL = `SPDY/3.1+${PORT_FORWARD}`;
const PORT_FORWARD_WEBSOCKET: Readonly<Record<string, { version: RemoteVersion; base64: boolean }>> = {
  'v4.channel.k8s.io': { version: 4, base64: false },
  'v4.base64.channel.k8s.io': { version: 4, base64: true },
};

export interface UpgradeHeaders {
  readonly upgrade?: string | undefined;
  readonly 'x-stream-protocol-version'?: string | string[] | undefined;
  readonly 'sec-websocket-protocol'?: string | undefined;
}

/** What client and server speak: the first protocol of the client's list that is known. */
export const negotiate = (kind: StreamRequest['kind'], headers: UpgradeHeaders): Agreement | Refusal => {
  const upgrade = headers.upgrade?.toLowerCase();
  if (upgrade === 'spdy/3.1') return overSpdy(kind, listOf(headers['x-stream-protocol-version']));
  if (upgrade === 'websocket') return overWebSocket(kind, listOf(headers['sec-websocket-protocol']));
  return { refused: { code: 400, text: 'unable to upgrade: neither SPDY/3.1 nor websocket is asked for' } };
};

const listOf = (header: string | string[] | undefined): string[] =>
  [header ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((name) => name.trim())
    .filter(Boolean);

const overSpdy = (kind: StreamRequest['kind'], offered: string[]): Agreement | Refusal => {
  const known: Readonly<Record<string, RemoteVersion>> = kind === 'portforward' ? { [PORT_FORWARD]: 4 } : REMOTE_SPDY;
  // Kubernetes 1.0 named no protocol.
  if (offered.length === 0) return { transport: 'spdy', protocol: '', version: 1 };
  const protocol = offered.find((name) => Object.hasOwn(known, name));
  const version = protocol && known[protocol];
  return version ? { transport: 'spdy', protocol, version } : unknownProtocol(offered, Object.keys(known));
};

const overWebSocket = (kind: StreamRequest['kind'], offered: string[]): Agreement | Refusal => {
  const known = kind === 'portforward' ? PORT_FORWARD_WEBSOCKET : REMOTE_WEBSOCKET;
  for (const protocol of offered) {
    if (kind === 'portforward' && protocol === TUNNEL) return { transport: 'tunnel', protocol };
    const found = Object.hasOwn(known, protocol) ? known[protocol] : undefined;
    if (found) return { transport: 'websocket', protocol, ...found };
  }
  if (offered.length === 0) return { transport: 'websocket', protocol: '', version: 1, base64: false };
  return unknownProtocol(offered, [...(kind === 'portforward' ? [TUNNEL] : []), ...Object.keys(known)]);
};

const unknownProtocol = (offered: string[], accepted: string[]): Refusal => ({
  refused: {
    code: 403,
    text: `unable to negotiate protocol: client supports ${offered.join(', ')}, server accepts ${accepted.join(', ')}`,
    accepted,
  },
});
