// Reads messages.json and plan.json into one form that the generators share, and refuses what is wrong with them.
import { readFileSync } from 'node:fs';

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));

const WIDTHS = { u8: 1, bool: 1, u16: 2, u32: 4, i32: 4, u64: 8 };
const TEXTS = ['string', 'path', 'words', 'file-system'];
const BYTES = ['bytes', 'text', 'ids', 'id-map'];

const fail = (what) => {
  throw new Error(`proto: ${what}`);
};

/** A number, or the name of a limit. */
const bound = (value, limits) =>
  typeof value === 'string' ? (limits[value] ?? fail(`unknown limit ${value}`)) : value;

/** `[id, name, "type", "what it is called in an error", { … }]`; `?` after a type: may be absent, `*`: may repeat. */
function field([id, name, notation, ...rest], { limits, enums, flags, records }) {
  const what = typeof rest[0] === 'string' ? rest.shift() : name;
  const [options = {}] = rest;
  const [, type, mark] = /^([a-z0-9-]+)([?*]?)$/.exec(notation) ?? fail(`type ${notation}`);
  const kind = enums[type] ? 'enum' : flags[type] ? 'flags' : records[type] ? 'record' : type;
  if (!['enum', 'flags', 'record', ...TEXTS, ...BYTES].includes(kind) && !WIDTHS[kind]) fail(`unknown type ${type}`);
  return {
    id,
    name,
    what,
    type,
    kind,
    optional: mark === '?',
    repeated: mark === '*' && kind !== 'flags',
    width: kind === 'enum' ? 1 : kind === 'flags' ? 4 : WIDTHS[kind],
    values: enums[type] ?? flags[type],
    isText: TEXTS.includes(kind),
    isBytes: BYTES.includes(kind) || kind === 'record',
    ...options,
    min: bound(options.min, limits),
    max: bound(options.max, limits),
  };
}

function fieldsOf(list, where, words) {
  const fields = list.map((one) => field(one, words));
  fields.forEach(({ id }, index) => {
    if (id < 1 || id <= (fields[index - 1]?.id ?? 0)) fail(`${where}: field ids must rise, ${id} does not`);
  });
  return fields;
}

const unique = (values, what) => {
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) fail(`${what} is there twice: ${twice}`);
};

function operations(plan, words) {
  const all = plan.operations.map((one) => ({ ...one, fields: fieldsOf(one.fields, one.op, words) }));
  all.forEach(({ code, kind, op, times }, index) => {
    if (code < (all[index - 1]?.code ?? 0)) fail(`${op}: codes must not fall`);
    if (all.filter((other) => other.code === code).length > 1 && !kind) fail(`${op}: shares its code and has no kind`);
    for (const purpose of Object.keys(times)) if (!plan.purposes[purpose]) fail(`${op}: unknown purpose ${purpose}`);
  });
  unique(
    all.map(({ code, kind }) => `${code}/${kind ?? 0}`),
    'operation',
  );
  return all;
}

export function loadSchema() {
  const plan = read('plan.json');
  const messages = read('messages.json');
  const options = Object.entries(plan.mountOptions);
  const bits = Object.fromEntries(options.flatMap(([word, { bit }]) => (bit ? [[word, Number(bit)]] : [])));
  const words = {
    limits: plan.limits,
    enums: { ...plan.enums, ...messages.enums },
    flags: { ...plan.flags, 'mount-flag': bits },
    records: messages.records,
  };
  const roles = messages.roles.map(({ role, messages: list }) => ({
    role,
    messages: list.map((one) => ({
      ...one,
      step: one.step ?? one.name.toLowerCase().replaceAll('_', ' '),
      request: one.request && fieldsOf(one.request, one.name, words),
      reply: one.request && fieldsOf(one.reply ?? [], one.name, words),
      event: one.event && fieldsOf(one.event, one.name, words),
    })),
  }));
  unique(
    roles.flatMap(({ messages: list }) => list.map(({ type }) => type)),
    'message type',
  );
  return {
    ...words,
    version: messages.version,
    frame: messages.frame,
    roles,
    recordFields: Object.fromEntries(
      Object.entries(messages.records).map(([name, list]) => [name, fieldsOf(list, name, words)]),
    ),
    planEnums: plan.enums,
    purposes: plan.purposes,
    operations: operations(plan, words),
    mountOptions: plan.mountOptions,
    mountableProc: plan.mountableProc,
    fileSystems: plan.fileSystems,
  };
}

export const camel = (name) => name.replace(/[-_](\w)/g, (_, letter) => letter.toUpperCase());
export const pascal = (name) => camel(name).replace(/^\w/, (letter) => letter.toUpperCase());
export const snake = (name) => name.replace(/-/g, '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const upper = (name) => snake(name).toUpperCase();
