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

/** Versions of the specification that we speak, lowest first: those of libcni. */
const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const MAX_PLUGINS = 32;
/** CVE-2021-20206: a type with a path in it selected any executable of the host. */
const PLUGIN_TYPE = /^[A-Za-z0-9._-]+$/;
const NETWORK_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

export const versionAtLeast = (version: string, least: string): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(least);

/** The specification 0.4.0 had `disableCheck` as text, and libcni takes both for every switch. */
const flag = z.preprocess((value) => {
  if (typeof value !== 'string') return value;
  return { true: true, false: false }[value.toLowerCase()] ?? value;
}, z.boolean().default(false));

/** Go reads null as "absent". */
const orAbsent = <T extends z.ZodType>(schema: T) => z.preprocess((value) => value ?? undefined, schema);

const pluginSchema = z.looseObject({
  type: z
    .string()
    .regex(PLUGIN_TYPE, 'a plugin type is a plain file name')
    .refine((type) => type !== '.' && type !== '..', 'a plugin type is a plain file name'),
  capabilities: orAbsent(z.record(z.string(), z.boolean()).default({})),
});

const listSchema = z.object({
  name: z.string().regex(NETWORK_NAME, 'a network name is letters, digits and _.-'),
  cniVersion: z.string().default('0.1.0'),
  cniVersions: z.array(z.string()).default([]),
  disableCheck: flag,
  disableGC: flag,
  plugins: z.array(pluginSchema).min(1, 'a network needs at least one plugin').max(MAX_PLUGINS),
});

/** Where a list may have more plugins (libcni 1.3): `<name>/*.conf` beside its file, unless it says that it is whole. */
const folderSchema = z.object({
  name: listSchema.shape.name,
  type: z.never().optional(),
  loadOnlyInlinedPlugins: flag,
});

/** The name of the directory with more plugins of this list, if it can have one. */
export const pluginFolder = (json: unknown): string | undefined => {
  const { success, data } = folderSchema.safeParse(json);
  return success && !data.loadOnlyInlinedPlugins ? data.name : undefined;
};

export const parseJson = (file: string, text: string): { json: object } | ConfigError => {
  try {
    const json = JSON.parse(text) as unknown;
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return { json };
    return { file, message: 'not a JSON object' };
  } catch (error) {
    return { file, message: `not JSON: ${(error as Error).message}` };
  }
};

/** One network: a list of plugins (.conflist) and what its folder adds, or the single plugin of the older form. */
export const parseConfig = (file: string, json: object, added: readonly object[] = []): NetworkConfig | ConfigError => {
  const inline = 'type' in json && !('plugins' in json) ? [json] : ((json as { plugins?: unknown }).plugins ?? []);
  const plugins = Array.isArray(inline) ? [...(inline as unknown[]), ...added] : inline;
  const parsed = listSchema.safeParse({ ...json, plugins });
  if (!parsed.success) return { file, message: parsed.error.issues.map(describe).join('; ') };
  const { name, disableCheck, disableGC } = parsed.data;
  const cniVersion = chooseVersion([parsed.data.cniVersion, ...parsed.data.cniVersions]);
  if (!cniVersion) {
    return {
      file,
      message: `unsupported cniVersion "${parsed.data.cniVersion}"; this runtime speaks ${VERSIONS.join(', ')}`,
    };
  }
  return { file, name, cniVersion, disableCheck, disableGC, plugins: parsed.data.plugins.map(toPlugin) };
};

export const isConfigError = (config: object): config is ConfigError => 'message' in config;

const chooseVersion = (offered: string[]): string | undefined =>
  VERSIONS.findLast((version) => offered.includes(version));

const describe = (issue: z.core.$ZodIssue): string => `${issue.path.join('.') || 'configuration'}: ${issue.message}`;

/** Keys that the specification reserves for the runtime never reach a plugin from a file. */
const toPlugin = ({ type, capabilities, ...rest }: z.output<typeof pluginSchema>): PluginConfig => {
  const { runtimeConfig: _runtimeConfig, prevResult: _prevResult, plugins: _plugins, ...others } = rest;
  return { type, capabilities, raw: { ...others, type } };
};
