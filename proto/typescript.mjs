// The daemon's side: what plans and messages are, and how they are written and read.
import { pascal, upper } from './schema.mjs';

const HEADER = '// Made by `make gen` from proto/plan.json and proto/messages.json.\n';

const TYPES = {
  bool: 'boolean',
  u64: 'bigint',
  bytes: 'Uint8Array',
  text: 'string',
  ids: 'readonly number[]',
  words: 'readonly string[]',
  'id-map': '{ readonly uid: number; readonly gid: number; readonly length: number } | undefined',
};

function typeOf(field, read) {
  if (read && field.kind === 'bytes') return 'Buffer';
  if (field.kind === 'flags') return `readonly ${pascal(field.type)}[]`;
  if (field.kind === 'enum' || field.kind === 'record') return pascal(field.type) + (field.repeated ? '[]' : '');
  if (field.isText && field.kind !== 'words') return field.repeated ? 'readonly string[]' : 'string';
  return TYPES[field.kind] ?? 'number';
}

const member = (field, read) =>
  `${field.doc ? `/** ${field.doc} */ ` : ''}${field.name}${field.optional ? '?' : ''}: ${typeOf(field, read)}${field.optional ? ' | undefined' : ''}`;

/** The name of a value in an error, as an expression; `{destination}` in it is that field of the same object. */
const what = (field) => {
  const text = field.what.replace(/\{(\w+)\}/g, (_, name) => `\${m.${name}}`);
  return text === field.what ? `'${text}'` : `\`${text}\``;
};

/** The statement that writes one value of a field. */
function writeOne(field, value) {
  const { id, kind, width, min, max } = field;
  const call = (method, ...rest) => `w.${method}(${[id, value, ...rest].join(', ')});`;
  if (kind === 'enum') return `w.integer(${id}, ${upper(field.type)}[${value}], 1, ${what(field)});`;
  if (kind === 'flags') return call('flags', upper(field.type), what(field));
  if (kind === 'bool') return call('bool');
  if (kind === 'u64') return call('u64', what(field));
  if (kind === 'i32') return call('integer', width, what(field), min ?? -(2 ** 31), max ?? 2 ** 31 - 1);
  if (width) return call('integer', width, what(field), min ?? 0, max ?? 2 ** (8 * width) - 1);
  if (kind === 'path')
    return call(field.mayBeEmpty ? 'pathOrNone' : 'path', what(field), ...(field.plain ? [true] : []));
  if (kind === 'words') return `w.string(${id}, ${value}.join(' '), ${what(field)});`;
  if (kind === 'string') return call('string', what(field), ...(min && !field.repeated ? [min] : []));
  if (kind === 'file-system') return call('oneOf', what(field), 'FILE_SYSTEMS');
  if (kind === 'bytes' && field.unit) return call('units', what(field), field.unit, min, max);
  if (kind === 'ids') return call('ids', what(field), max);
  if (kind === 'id-map') return call('idMap');
  return call(kind);
}

function write(field) {
  const value = `m.${field.name}`;
  if (field.repeated) {
    const least = field.min ? `w.atLeast(${value}.length, ${field.min}, ${what(field)});\n    ` : '';
    return `${least}for (const one of ${value}) ${writeOne(field, 'one')}`;
  }
  if (!field.optional) return writeOne(field, value);
  return `if (${value}${field.kind === 'bool' ? '' : ' !== undefined'}) ${writeOne(field, value)}`;
}

const object = (entries) => `{ ${entries.join(', ')} }`;
const quoted = (list) => list.map((one) => `'${one}'`).join(', ');
const union = (list) => list.map((one) => `'${one}'`).join(' | ');

const table = (name, values, type) =>
  `export const ${upper(name)} = ${object(Object.entries(values).map(([word, value]) => `'${word}': ${value}`))} as const;
export type ${pascal(type ?? name)} = keyof typeof ${upper(name)};
`;

const operationType = ({ op, doc, fields }) => `
/** ${doc} */
export interface ${pascal(op)}Op {
  op: '${op}';
${fields.map((field) => `  ${member(field)};\n`).join('')}}
`;

const operationWriter = ({ op, kind, fields }) => `  '${op}': (w: FieldWriter, m: ${pascal(op)}Op): void => {
    ${[...(kind ? [`w.integer(1, ${kind}, 1, 'kind');`] : []), ...fields.map(write)].join('\n    ')}
  },
`;

export const planModule = (schema) => `${HEADER}import type { FieldWriter } from '../supervisor/wire.js';

export const LIMITS = ${object([`frame: ${schema.frame}`, ...Object.entries(schema.limits).map(([name, value]) => `${name}: ${value}`)])} as const;

/** Files of /proc that may be mounted over; the list of runc (CVE-2019-16884). */
export const MOUNTABLE_PROC: ReadonlySet<string> = new Set([${quoted(schema.mountableProc)}]);

const FILE_SYSTEMS: ReadonlySet<string> = new Set([${quoted(schema.fileSystems)}]);

/** Words of a mount's options that are not the file system's. \`bit\`: MOUNT_ATTR_*. \`requested\`: a CRI request may add it. \`restricts\`: takes something away. */
export const MOUNT_OPTIONS: Readonly<Record<string, { bit?: number; requested?: boolean; restricts?: boolean }>> = {
${Object.entries(schema.mountOptions)
  .map(([word, { bit, ...rest }]) => `  ${word}: ${JSON.stringify({ ...(bit && { bit: Number(bit) }), ...rest })},\n`)
  .join('')}};

${Object.entries(schema.planEnums)
  .map(([name, values]) => table(name, values))
  .join('')}${Object.entries(schema.flags)
  .map(([name, values]) => table(name, values))
  .join('')}${schema.operations.map(operationType).join('')}
/**
 * The plan of a container: what the supervisor carries out, in this order. Paths named \`destination\` are inside the container and resolved
 * by the supervisor with openat2; paths named \`source\` or \`path\` are the host's.
 */
export type PlanOp =
${schema.operations.map(({ op }) => `  | ${pascal(op)}Op`).join('\n')};

/** Codes of the operations: the order in which they may appear. Part of the protocol and never reused. */
export const PLAN_CODES: Readonly<Record<PlanOp['op'], number>> = ${object(schema.operations.map(({ op, code }) => `'${op}': ${code}`))};

export type PlanPurpose = ${union(Object.keys(schema.purposes))};

/** How often an operation may be there: at least, at most. One that is not named may not. */
export const PLAN_TIMES: Readonly<Record<PlanPurpose, Readonly<Partial<Record<PlanOp['op'], readonly [number, number]>>>>> = {
${Object.keys(schema.purposes)
  .map(
    (purpose) =>
      `  '${purpose}': ${object(schema.operations.filter(({ times }) => times[purpose]).map(({ op, times }) => `'${op}': [${times[purpose]}]`))},\n`,
  )
  .join('')}};

/** Writes the fields of an operation. */
export const PLAN_WRITERS = {
${schema.operations.map(operationWriter).join('')}};
`;

/** The expression that reads a field of a message. */
function readOne(field) {
  const { id, kind, type, repeated } = field;
  if (kind === 'record') return `r.all(${id}).map((bytes) => read${pascal(type)}(Fields.decode(bytes)))`;
  if (kind === 'enum') return `r.word(${id}, ${upper(type)})`;
  if (repeated) return `r.all(${id}).map(String)`;
  return `r.${kind === 'path' ? 'string' : kind}(${id})`;
}

const reader = (fields) =>
  fields.length === 0 ? '() => ({})' : `(r) => (${object(fields.map((field) => `${field.name}: ${readOne(field)}`))})`;

const shape = (name, fields, read) =>
  fields.length === 0
    ? ''
    : `export interface ${name} {\n${fields.map((field) => `  ${member(field, read)};\n`).join('')}}\n`;

function message({ type, name, step, request, reply, event }) {
  const word = pascal(name.toLowerCase());
  if (event)
    return `
${shape(`${word}Message`, event, true)}export const ${name}: Event<${word}Message> = { type: ${type}, read: ${reader(event)} };
`;
  const question = request.length > 0 ? `${word}Request` : 'object';
  const answer = reply.length > 0 ? `${word}Reply` : 'object';
  const writer = request.length > 0 ? `(w, m) => {\n    ${request.map(write).join('\n    ')}\n  }` : '() => undefined';
  return `
${shape(question, request)}${shape(answer, reply, true)}export const ${name}: Call<${question}, ${answer}> = {
  type: ${type},
  step: '${step}',
  write: ${writer},
  read: ${reader(reply)},
};
`;
}

export const messagesModule = (schema) => `${HEADER}import { Fields, type FieldWriter } from '../supervisor/wire.js';

export const PROTOCOL_VERSION = ${schema.version};

/** A request and its answer. */
export interface Call<Question, Answer> {
  readonly type: number;
  /** What it is called in an error. */
  readonly step: string;
  readonly write: (w: FieldWriter, m: Question) => void;
  readonly read: (r: Fields) => Answer;
}

/** What comes unasked. */
export interface Event<Message> {
  readonly type: number;
  readonly read: (r: Fields) => Message;
}

${Object.entries(schema.enums)
  .filter(([name]) => !schema.planEnums[name])
  .map(([name, values]) => table(name, values))
  .join('')}
${Object.entries(schema.recordFields)
  .map(
    ([name, fields]) =>
      `${shape(pascal(name), fields, true)}const read${pascal(name)} = (r: Fields): ${pascal(name)} => (${object(fields.map((field) => `${field.name}: ${readOne(field)}`))});\n`,
  )
  .join('')}${schema.roles.flatMap(({ messages }) => messages.map(message)).join('')}`;
