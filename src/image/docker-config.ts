import { readFile } from 'node:fs/promises';
import { failedPrecondition } from '../base/errors.js';
import { type Credentials, type CredentialSource, decodePair, registryKey } from './credentials.js';
import { type Fields, isObject, parseObject } from './manifest.js';

/** Runs `docker-credential-<name> get` with the server on stdin and answers its stdout. */
export type RunHelper = (name: string, server: string) => Promise<string>;

const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** What a helper answers as the user name when the secret is an identity token. */
const TOKEN_USER = '<token>';

/** The node's own credentials: docker's config.json with `auths`, `credHelpers` and `credsStore`, read at each pull. */
export const dockerConfigCredentials =
  (file: string, runHelper: RunHelper): CredentialSource =>
  async ({ name }) => {
    const config = await readConfig(file);
    if (!config) return undefined;
    const key = registryKey(name);
    const helper = entryFor(config['credHelpers'], key)?.value ?? config['credsStore'];
    if (typeof helper === 'string')
      return await ask(helper, key === 'docker.io' ? 'https://index.docker.io/v1/' : key, file, runHelper);
    const entry = entryFor(config['auths'], key)?.value;
    return isObject(entry) ? fromEntry(entry) : undefined;
  };

const readConfig = async (file: string): Promise<Fields | undefined> => {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw failedPrecondition(`cannot read registry credentials: ${(error as Error).message}`);
  }
  return parseObject(bytes, file);
};

const entryFor = (table: unknown, key: string): { value: unknown } | undefined => {
  const entry = Object.entries(isObject(table) ? table : {}).find(
    ([address]) => address !== '' && registryKey(address) === key,
  );
  return entry && { value: entry[1] };
};

const fromEntry = (entry: Fields): Credentials | undefined => {
  const { auth, username, password, identitytoken } = entry;
  if (typeof identitytoken === 'string' && identitytoken !== '') return { identityToken: identitytoken };
  if (typeof auth === 'string' && auth !== '') return decodePair(auth);
  return typeof username === 'string' && typeof password === 'string' ? { username, password } : undefined;
};

const ask = async (
  name: string,
  server: string,
  file: string,
  runHelper: RunHelper,
): Promise<Credentials | undefined> => {
  if (!HELPER_NAME.test(name)) throw failedPrecondition(`not the name of a credential helper: in ${file}`);
  let answer: Fields;
  try {
    answer = parseObject(Buffer.from(await runHelper(name, server)), `answer of docker-credential-${name}`);
  } catch {
    // A helper that has nothing for this server fails too: the registry decides whether that matters.
    return undefined;
  }
  const { Username: username, Secret: secret } = answer;
  if (typeof username !== 'string' || typeof secret !== 'string') return undefined;
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
};
