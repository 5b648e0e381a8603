import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import * as z from 'zod';

/** A plugin's own configuration; everything but what the runtime consumes is passed on as it stands. */
export interface PluginConfig {
  readonly type: string;
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface NetworkConfig {
  readonly file: string;
  readonly name: string;
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  readonly plugins: readonly PluginConfig[];
}

export interface ConfigError {
  readonly file: string;
  readonly message: string;
}

/** Versions of the specification that we speak, lowest first. Earlier ones have another shape of result. */
const VERSIONS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const EXTENSIONS = new Set(['.conflist', '.conf', '.json']);
const MAX_FILE = 1 << 20;
const MAX_PLUGINS = 32;
/** CVE-2021-20206: a type with a path in it selected any executable of the host. */
const PLUGIN_TYPE = /^[A-Za-z0-9._-]+$/;
const NETWORK_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export const versionAtLeast = (version: string, least: string): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(least);

const pluginSchema = z.looseObject({
  type: z
    .string()
    .regex(PLUGIN_TYPE, 'a plugin type is a plain file name')
    .refine((type) => type !== '.' && type !== '..', 'a plugin type is a plain file name'),
  capabilities: z.record(z.string(), z.boolean()).default({}),
});

const listSchema = z.object({
  name: z.string().regex(NETWORK_NAME, 'a network name is letters, digits and _.-'),
  cniVersion: z.string().default('0.1.0'),
  cniVersions: z.array(z.string()).default([]),
  disableCheck: z.boolean().default(false),
  disableGC: z.boolean().default(false),
  plugins: z.array(pluginSchema).min(1, 'a network needs at least one plugin').max(MAX_PLUGINS),
});

/** One configuration file: a list of plugins (.conflist), or the single plugin of the older form. */
export const parseConfig = (file: string, text: string): NetworkConfig | ConfigError => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { file, message: `not JSON: ${(error as Error).message}` };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return { file, message: 'not a JSON object' };
  const list = Array.isArray((json as { plugins?: unknown }).plugins) ? json : { ...json, plugins: [json] };
  const parsed = listSchema.safeParse(list);
  if (!parsed.success) return { file, message: parsed.error.issues.map(describe).join('; ') };
  const cniVersion = chooseVersion([parsed.data.cniVersion, ...parsed.data.cniVersions]);
  if (!cniVersion) {
    return {
      file,
      message: `unsupported cniVersion "${parsed.data.cniVersion}"; this runtime speaks ${VERSIONS.join(', ')}`,
    };
  }
  const { name, disableCheck, disableGC, plugins } = parsed.data;
  return { file, name, cniVersion, disableCheck, disableGC, plugins: plugins.map(toPlugin) };
};

export const isConfigError = (config: NetworkConfig | ConfigError): config is ConfigError => 'message' in config;

/** The first valid file of the directory in lexical order, and what is wrong with those before it. */
export const loadConfig = (directory: string): { config: NetworkConfig | undefined; errors: ConfigError[] } => {
  const listed = configFiles(directory);
  const errors: ConfigError[] = listed.error ? [listed.error] : [];
  for (const file of listed.files) {
    const config = readConfig(file);
    if (!isConfigError(config)) return { config, errors };
    errors.push(config);
  }
  return { config: undefined, errors };
};

/** A directory that does not exist is one without files: the network's own installer makes it. */
export const configFiles = (directory: string): { files: string[]; error?: ConfigError } => {
  try {
    // Compared by code unit, as every other runtime does: a locale must not decide which network a node is on.
    const names = readdirSync(directory).sort((a, b) => (a < b ? -1 : 1));
    return { files: names.filter((name) => EXTENSIONS.has(extname(name))).map((name) => join(directory, name)) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { files: [] } : { files: [], error: { file: directory, message } };
  }
};

const readConfig = (file: string): NetworkConfig | ConfigError => {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE) return { file, message: `larger than ${MAX_FILE} bytes` };
    return parseConfig(file, readFileSync(file, 'utf8'));
  } catch (error) {
    return { file, message: (error as Error).message };
  }
};

const chooseVersion = (offered: string[]): string | undefined =>
  VERSIONS.findLast((version) => offered.includes(version));

const describe = (issue: z.core.$ZodIssue): string => `${issue.path.join('.') || 'configuration'}: ${issue.message}`;

/** Keys that the specification reserves for the runtime never reach a plugin from a file. */
const toPlugin = ({ type, capabilities, ...rest }: z.output<typeof pluginSchema>): PluginConfig => {
  const { runtimeConfig: _runtimeConfig, prevResult: _prevResult, plugins: _plugins, ...others } = rest;
  return { type, capabilities, raw: { ...others, type } };
};
