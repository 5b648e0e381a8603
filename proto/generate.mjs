// generate.mjs typescript DIRECTORY | native DIRECTORY | document FILE | check FILE: what proto/README.md says is made from the schema.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withTables } from './document.mjs';
import { messagesHeader, messageShapes, planHeader, planShapes } from './native.mjs';
import { loadSchema } from './schema.mjs';
import { messagesModule, planModule } from './typescript.mjs';

const [target, path] = process.argv.slice(2);
const schema = loadSchema();

const write = (files) => {
  mkdirSync(path, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
};

const TARGETS = {
  typescript: () => write({ 'plan.ts': planModule(schema), 'messages.ts': messagesModule(schema) }),
  native: () =>
    write({
      'plan_ops.h': planHeader(schema),
      'plan_shapes.h': planShapes(schema),
      'messages.h': messagesHeader(schema),
      'message_shapes.h': messageShapes(schema),
    }),
  document: () => writeFileSync(path, withTables(readFileSync(path, 'utf8'), schema)),
  check: () => {
    const text = readFileSync(path, 'utf8');
    if (withTables(text, schema) === text) return;
    console.error(`tables are not those of proto/*.json: ${path}; run make format`);
    process.exitCode = 1;
  },
};

TARGETS[target]();
