import type { ParseOptions, ScalarTag, SchemaOptions } from 'yaml';
import { type SpecFile, SpecFileSchema } from './spec-file.js';
import { versionError } from './version.js';

/** A file that cannot be used; the message says why, without the file's name. */
export class SpecFileError extends Error {
  override readonly name = 'SpecFileError';
}

/** @throws SpecFileError */
export const parseSpecFile = async (text: string, format: 'json' | 'yaml'): Promise<SpecFile> => {
  const result = SpecFileSchema.safeParse(await read(text, format));
  const issue = result.error?.issues[0];
  if (issue) throw new SpecFileError(`${where(issue.path)}: ${issue.message}`);
  const spec = result.data as SpecFile;
  const error = versionError(spec);
  if (error !== undefined) throw new SpecFileError(`cdiVersion: ${error}`);
  return spec;
};

const read = async (text: string, format: 'json' | 'yaml'): Promise<unknown> => {
  try {
    return format === 'json' ? JSON.parse(text, absentWhenNull) : await readYaml(text);
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new SpecFileError(`not ${format.toUpperCase()}: ${reason}`, { cause: error });
  }
};

/** Generators write fields that they leave empty as null. */
const absentWhenNull = (_key: unknown, value: unknown): unknown => (value === null ? undefined : value);

/** File modes are written as 0666, which is octal to the generators' YAML 1.1 and decimal to 1.2. */
const OCTAL: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^0[0-7]+$/,
  resolve: (digits) => Number.parseInt(digits, 8),
};

const YAML: ParseOptions & SchemaOptions & { maxAliasCount: number; logLevel: 'error' } = {
  // No generator writes aliases, and a few lines of them can stand for gigabytes (CVE-2019-11253).
  maxAliasCount: 0,
  customTags: (tags) => [OCTAL, ...tags],
  logLevel: 'error',
};

/** Loaded when the first YAML file is there: most nodes have none. */
const readYaml = async (text: string): Promise<unknown> => {
  const { parse } = await import('yaml');
  return parse(text, absentWhenNull, YAML);
};

const where = (path: readonly PropertyKey[]): string =>
  path
    .reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${String(step)}`), '')
    .replace(/^\./, '') || 'the file';
