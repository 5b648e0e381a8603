import { fileURLToPath } from 'node:url';
import type { Image } from '../harness/image.js';
import { busyboxImage, compile } from '../harness/images.js';
import { file } from '../harness/layer.js';

const SOURCES = fileURLToPath(new URL('../../../e2e/bench/programs', import.meta.url));
const PROGRAMS = ['true', 'lines'];

export const benchProgram = (name: string): Promise<Buffer> => compile(`${SOURCES}/${name}.c`);

/** Busybox, the e2e programs and those of the benchmark: three layers. */
export const benchImage = async (): Promise<Image> => {
  const entries = PROGRAMS.map(async (name) => file(name, await benchProgram(name), { mode: 0o755 }));
  return busyboxImage({}, await Promise.all(entries));
};
