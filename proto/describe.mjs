// describe.mjs TARGET PROTO…: writes messages and services as the JSON that protobufjs loads: parsing the .proto itself costs every start of
// the daemon time.
import { writeFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const [target, ...protos] = process.argv.slice(2);
const root = protobuf.loadSync(protos);
root.resolveAll();
const text = JSON.stringify(JSON.stringify(root.toJSON()));
writeFileSync(target, `// Original file: ${protos.join(', ')}\n\nexport const descriptor = ${text};\n`);
