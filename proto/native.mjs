// The supervisor's side: what a decoded plan is, and the tables that its decoders go by.
import { snake, upper } from './schema.mjs';

const HEADER = '/* Made by `make native` from proto/plan.json and proto/messages.json. */\n';

const values = (prefix, words) =>
  Object.entries(words).map(([word, value]) => `    ${prefix}_${upper(word)} = ${value},`);

const enumeration = (name, lines) => `enum ${name} {\n${lines.join('\n')}\n};\n`;

/** [what a field is in a decoded plan, its alignment]. */
function storage({ kind, repeated, isText, isBytes, width }) {
  if (isText) return repeated ? ['struct plan_strings ', 8] : ['const char *', 8];
  if (isBytes) return ['struct wire_bytes ', 8];
  if (kind === 'i32') return ['int32_t ', 4];
  return [`uint${8 * width}_t `, width];
}

const structure = ({ op, fields }) => {
  const members = fields.map((field) => ({ name: snake(field.name), storage: storage(field) }));
  members.sort((a, b) => b.storage[1] - a.storage[1]);
  return `struct plan_${snake(op)} {\n${members.map(({ name, storage: [type] }) => `    ${type}${name};\n`).join('')}};\n`;
};

/** A code has the name of its first operation. */
const codesOf = (operations) => operations.filter(({ code }, index) => operations[index - 1]?.code !== code);

const strings = (name, list) => `static const char *const ${name}[] = {${list.map((one) => `"${one}"`).join(', ')}};\n`;

/** Declarations: what a decoded plan is. */
export const planHeader = ({ limits, operations, planEnums, purposes }) => `${HEADER}#pragma once
${Object.entries(limits)
  .map(([name, value]) => `#define LIMIT_${upper(name)} ${value}u\n`)
  .join('')}
${enumeration(
  'plan_code',
  codesOf(operations).map(({ op, code }) => `    PLAN_${upper(op)} = ${code},`),
)}
${enumeration(
  'plan_kind',
  operations.filter(({ kind }) => kind).map(({ op, kind }) => `    PLAN_KIND_${upper(op)} = ${kind},`),
)}
${Object.entries(planEnums)
  .map(([name, words]) => enumeration(`plan_${snake(name)}`, values(`PLAN_${upper(name)}`, words)))
  .join('\n')}
/* PLAN_OF_KEPT: what the supervisor remembers of a live container (kept_plan.h), checked in full when it was made. */
${enumeration('plan_purpose', [
  ...Object.entries(purposes).map(([name, what]) => `    PLAN_OF_${upper(name)}, /* ${what} */`),
  '    PLAN_OF_KEPT',
])}
${operations.map(structure).join('\n')}
struct plan_op {
    uint16_t code;
    uint8_t kind; /* of a code that several operations share */
    int fd;       /* of a mount operation: the detached mount, once there is one */
    union {
${operations.map(({ op }) => `        struct plan_${snake(op)} ${snake(op)};\n`).join('')}    };
};
`;

function bounds(field) {
  const { kind, type, values: words, width, min, max, unit } = field;
  const numbers = words && Object.values(words);
  if (kind === 'enum') {
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    if (high - low + 1 !== numbers.length) throw new Error(`proto: values of ${type} have gaps`);
    return [low, high];
  }
  if (kind === 'flags') return [0, numbers.reduce((mask, bit) => mask | bit, 0)];
  if (kind === 'bool') return [0, 1];
  if (kind === 'ids') return [0, max];
  if (unit) return [min, max];
  if (kind === 'u64' || !width) return [min ?? 0, max ?? 0];
  return [min ?? 0, max ?? 2 ** (8 * width) - 1];
}

function shapeType({ kind, width, plain, repeated, isText }) {
  if (kind === 'flags') return 'FLAGS';
  if (kind === 'i32') return 'I32';
  if (width) return `U${8 * width}`;
  if (!isText) return 'BYTES';
  if (kind === 'file-system') return 'FILE_SYSTEM';
  const type = kind === 'path' ? (plain ? 'PLAIN_PATH' : 'PATH') : 'STRING';
  return repeated ? `${type}S` : type;
}

const shape = (op) => (field) => {
  const [min, max] = bounds(field);
  const unit = field.unit ?? (field.kind === 'ids' ? 4 : 0);
  const place = `offsetof(struct plan_op, ${snake(op)}.${snake(field.name)})`;
  return `    {${field.id}, ${shapeType(field)}, ${field.optional ? 1 : 0}, ${unit}, ${place}, ${min}, ${max}},`;
};

const PURPOSE = (times, purposes) =>
  Object.keys(purposes)
    .map((name) => `{${(times[name] ?? [0, 0]).join(', ')}}`)
    .join(', ');

/** Definitions, for the one file that decodes: fields of all operations, and where those of each begin. */
export function planShapes({ operations, purposes, fileSystems, mountableProc }) {
  let first = 0;
  const rows = operations.map(({ op, code, kind = 0, step = op, fields, times }) => {
    const name = codesOf(operations).find((one) => one.code === code).op;
    const row = `    {PLAN_${upper(name)}, ${kind}, "${step}", ${first}, ${fields.length}, {${PURPOSE(times, purposes)}}},`;
    first += fields.length;
    return row;
  });
  return `${HEADER}static const struct field_shape field_shapes[] = {
${operations.flatMap(({ op, fields }) => fields.map(shape(op))).join('\n')}
};

static const struct op_shape op_shapes[] = {
${rows.join('\n')}
};

${strings('file_systems', fileSystems)}
/* The list of runc (CVE-2019-16884). */
${strings('mountable_proc', mountableProc)}`;
}

const all = ({ roles }) => roles.flatMap(({ messages }) => messages);

const ids = (prefix, fields = []) => fields.map(({ id, name }) => `    FIELD_${prefix}_${upper(name)} = ${id},`);

/** Declarations: messages and the numbers of their fields. */
export const messagesHeader = (schema) => `${HEADER}#pragma once
#define WIRE_VERSION ${schema.version}u
#define WIRE_FRAME_MAX ${schema.frame}u /* largest accepted frame, header included */

${enumeration('message_type', [
  ...all(schema).map(({ name, type, event }) => `    ${event ? 'MESSAGE' : 'REQUEST'}_${name} = ${type},`),
  '    MESSAGE_REPLY = 0x8000,',
])}
${enumeration('message_field', [
  ...all(schema).flatMap(({ name, request, reply, event }) => [
    ...ids(name, request ?? event),
    ...ids(`${name}_REPLY`, reply),
  ]),
  ...Object.entries(schema.recordFields).flatMap(([name, fields]) => ids(upper(name), fields)),
])}
${Object.entries(schema.enums)
  .filter(([name]) => !schema.planEnums[name])
  .map(([name, words]) => enumeration(`message_${snake(name)}`, values(`MESSAGE_${upper(name)}`, words)))
  .join('\n')}`;

const fieldKind = ({ kind, repeated, isText, width }) => {
  if (isText) return repeated ? 'STRINGS' : 'STRING';
  return kind === 'bool' ? 'FLAG' : width ? `U${8 * width}` : 'BYTES';
};

/** Definitions, for the one file that decodes requests. */
export const messageShapes = (schema) => `${HEADER}static const struct {
    uint16_t type;
    uint8_t kind[REQUEST_FIELDS]; /* by the fields' numbers */
} request_shapes[] = {
${all(schema)
  .filter(({ request }) => request)
  .map(
    ({ name, request }) =>
      `    {REQUEST_${name}, {${request.length > 0 ? request.map((field) => `[${field.id}] = ${fieldKind(field)}`).join(', ') : '0'}}},\n`,
  )
  .join('')}};
`;
