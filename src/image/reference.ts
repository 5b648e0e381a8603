import { invalidArgument } from '../base/errors.js';
import { type Digest, isDigest, quote } from './digest.js';

/** An image reference in normal form: nothing is left to be guessed. Grammar and defaults are those of distribution/reference. */
export interface Reference {
  /** Host and port of the registry, `docker.io` when none was named. */
  readonly domain: string;
  /** Repository below the registry. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL = 'library/';

const MAX_TEXT = 1024;
const MAX_PATH = 255;

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::\d{1,5})?$/;
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const IDENTIFIER = /^(?:sha256:)?[a-f0-9]{64}$/;

/** @throws INVALID_ARGUMENT. A tag beside a digest is dropped: the digest alone decides. Without either, the tag is `latest`. */
export const parseReference = (text: string): Reference => {
  const refuse = (cause: string): never => {
    throw invalidArgument(`${cause}: image reference ${quote(text)}; write [host[:port]/]name[:tag][@digest]`);
  };
  if (text === '') refuse('empty name');
  if (text.length > MAX_TEXT) refuse(`longer than ${MAX_TEXT} characters`);
  if (IDENTIFIER.test(text)) refuse('an image ID is not a name');

  const at = text.indexOf('@');
  const [named, digest] = at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const tag = tagged ? named.slice(colon + 1) : undefined;
  const { domain, path } = splitDomain(tagged ? named.slice(0, colon) : named);

  if (digest !== undefined && !isDigest(digest)) return refuse('malformed digest');
  if (tag !== undefined && !TAG.test(tag)) refuse('malformed tag');
  if (!DOMAIN.test(domain) || Number(/:(\d+)$/.exec(domain)?.[1] ?? 0) > 65535) refuse('malformed host');
  if (path.length > MAX_PATH) refuse(`repository longer than ${MAX_PATH} characters`);
  if (!PATH.test(path)) refuse(path === path.toLowerCase() ? 'malformed repository' : 'repository not in lower case');
  return digest === undefined ? { domain, path, tag: tag ?? 'latest' } : { domain, path, digest };
};

/** The first component is a host only when it looks like one: a dot, a colon, a capital or `localhost`. */
const splitDomain = (name: string): { domain: string; path: string } => {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash);
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isHost && first !== LEGACY_DOMAIN ? first : DEFAULT_DOMAIN;
  const path = isHost ? name.slice(slash + 1) : name;
  return { domain, path: domain === DEFAULT_DOMAIN && !path.includes('/') ? `${OFFICIAL}${path}` : path };
};

/** `docker.io/library/busybox` */
export const repositoryName = ({ domain, path }: Reference): string => `${domain}/${path}`;

/** `docker.io/library/busybox:latest`: what repoTags and repoDigests hold. */
export const canonical = (reference: Reference): string =>
  reference.digest
    ? `${repositoryName(reference)}@${reference.digest}`
    : `${repositoryName(reference)}:${reference.tag}`;
