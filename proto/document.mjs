// The tables of supervisor.md.

/** `1 c, 2 p, 3 t`: the words of a field and their numbers. */
const wordsOf = ({ kind, values }) => {
  if (kind === 'enum')
    return ` (${Object.entries(values)
      .map(([word, value]) => `${value} ${word}`)
      .join(', ')})`;
  return '';
};

const TYPES = {
  text: 'bytes',
  'file-system': 'string',
  words: 'string, separated by spaces',
  ids: 'bytes, u32 each',
  'id-map': 'bytes, u32 host uid and u32 host gid of ID 0, u32 length',
};

const typeOf = ({ kind, type, isBytes }) => {
  if (kind === 'enum') return 'u8';
  if (kind === 'flags') return `u32 of ${type}s`;
  if (kind === 'record') return `bytes: fields of a ${type}`;
  return TYPES[kind] ?? (isBytes ? 'bytes' : kind);
};

function bounds({ kind, unit, of, min, max, plain, isText, repeated }) {
  if (unit) return `, ${min}…${max} ${of}`;
  const least = min === undefined ? '' : isText && !repeated ? ', not empty' : repeated ? `, at least ${min}` : '';
  if (isText) return `${least}${plain ? ', plain' : ''}`;
  if (kind === 'ids') return `, at most ${max}`;
  return min === undefined && max === undefined ? '' : `, ${min ?? 0}…${max ?? ''}`;
}

const fieldText = (field) =>
  `${field.id} ${field.name}${field.repeated ? '*' : field.optional ? '?' : ''} ${typeOf(field)}${wordsOf(field)}${bounds(field)}${field.doc ? ` (${field.doc})` : ''}`;

const fieldsText = (fields = []) => fields.map(fieldText).join('; ');

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`.replace(/\| +(?=\|)/g, '| ')).join('\n');

const hex = (text) => `0x${Number(text).toString(16).padStart(4, '0')}`;

const messages = ({ messages: list }) =>
  table(
    ['type', 'name', 'request fields', 'reply fields'],
    list.map(({ type, name, request, reply, event }) =>
      event
        ? [hex(type), `${name} (from the supervisor)`, '', fieldsText(event)]
        : [hex(type), name, fieldsText(request), fieldsText(reply)],
    ),
  );

const times = ({ times: all }) =>
  Object.entries(all)
    .map(([purpose, [least, most]]) => `${purpose} ${least === most ? least : `${least}…${most}`}`)
    .join(', ');

const operations = ({ operations: list, purposes }) =>
  `${table(
    ['code', 'operation', 'how often', 'fields', 'meaning'],
    list.map((one) => {
      const kind = one.kind ? [`1 kind u8 = ${one.kind}`] : [];
      return [one.code, one.op, times(one), [...kind, ...one.fields.map(fieldText)].join('; '), one.doc];
    }),
  )}\n\nHow often an operation is in a plan: ${Object.entries(purposes)
    .map(([name, what]) => `\`${name}\` ${what}`)
    .join(', ')}. One without an entry is not allowed there.`;

const yes = (value) => (value ? 'yes' : '');

const options = ({ mountOptions }) =>
  table(
    ['word', 'bit', 'requested', 'restricts'],
    Object.entries(mountOptions).map(([word, { bit = '', requested, restricts }]) => [
      word,
      bit,
      yes(requested),
      yes(restricts),
    ]),
  );

const lists = ({ fileSystems, mountableProc }) =>
  [fileSystems, mountableProc].map((list) => `* ${list.map((one) => `\`${one}\``).join(', ')}`).join('\n');

const records = ({ recordFields }) =>
  Object.entries(recordFields)
    .map(([name, fields]) => `\nA ${name}: ${fieldsText(fields)}.`)
    .join('\n');

/** The text with its tables as the schema has them. */
export function withTables(text, schema) {
  const made = { operations: operations(schema), options: options(schema), lists: lists(schema) };
  for (const role of schema.roles) made[role.role] = messages(role);
  made.supervisor += `\n${records(schema)}`;
  return text.replace(
    /<!-- (\w+) -->\n[^]*?<!-- end -->/g,
    (_, name) => `<!-- ${name} -->\n${made[name]}\n<!-- end -->`,
  );
}
