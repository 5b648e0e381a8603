import { dataLoss } from './digest.js';

/** Where a request goes. The path with its query is what was given, byte for byte: a signature may cover all of it. */
export interface Target {
  readonly url: URL;
  readonly path: string;
}

export const targetOf = (url: URL): Target => ({ url, path: `${url.pathname}${url.search}` });

/** Where a Location header sends a request that went to `from`. */
export const redirected = (from: URL, location: string): Target => {
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw dataLoss(`redirect to something else than http: ${printUrl(from)}`);
  if (from.protocol === 'https:' && url.protocol === 'http:')
    throw dataLoss(
      `redirect from https to http: ${printUrl(from)} to ${printUrl(url)}; a registry must not weaken the connection`,
    );
  url.username = '';
  url.password = '';
  const path = writtenPath(location);
  return path === undefined ? targetOf(url) : { url, path };
};

/** Undefined for a relative one, and for what a URL parser and a signer might read in two ways. */
const writtenPath = (location: string): string | undefined => {
  if (/[\\\s]/.test(location)) return undefined;
  const path = /^(?:https?:)?\/\/[^/?#]*([^#]*)/i.exec(location)?.[1] ?? /^\/[^#]*/.exec(location)?.[0];
  if (path === undefined) return undefined;
  // A header's characters are bytes; those that may not stand in a request line are sent as everybody sends them.
  const sendable = path.replace(
    /[^\x21-\x7e]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
  return sendable.startsWith('/') ? sendable : `/${sendable}`;
};

/** Without user, query and fragment: those may hold tokens, and messages become events of pods. */
export const printUrl = (url: URL): string => `${url.origin}${url.pathname}`.slice(0, 300);
