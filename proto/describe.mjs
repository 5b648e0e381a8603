// Writes the CRI's messages and services as the JSON that protobufjs loads: parsing the .proto itself costs every start of the daemon time.
import { writeFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const [proto, target] = process.argv.slice(2);
const root = protobuf.loadSync(proto);
root.resolveAll();
const text = JSON.stringify(JSON.stringify(root.toJSON()));
writeFileSync(target, `// Original file: ${proto}\n\nexport const descriptor = ${text};\n`);
