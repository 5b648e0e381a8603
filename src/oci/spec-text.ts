import { randomUUID } from 'node:crypto';
import type { OciProcess, OciSpec, U64 } from './spec.js';

/** config.json of the OCI runtime specification: numbers of 64 bits are numbers in it, with all their bits. */
export const specText = (spec: OciSpec): string => exactly((mark) => withU64(spec, mark));

/** process.json: what a further process of a container is given. */
export const processText = (process: OciProcess): string => exactly((mark) => processWithU64(process, mark));

/** Reads what `specText` has written; older versions wrote some numbers as text. */
export const parseSpec = (text: string): OciSpec => withU64(JSON.parse(quoteLarge(text)) as OciSpec, String);

/** JSON.stringify has no way to write such a number: it is written as text with a mark that no other text has, which then goes. */
const exactly = (marked: (mark: (value: U64) => U64) => object): string => {
  const mark = randomUUID();
  return JSON.stringify(marked((value) => `${mark}${value}`)).replace(new RegExp(`"${mark}(\\d+)"`, 'g'), '$1');
};

/** Numbers that JSON.parse would round become texts; strings are passed over whole. */
const quoteLarge = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|\d{16,20}(?![\d.eE])/g, (found) => (found.startsWith('"') ? found : `"${found}"`));

const processWithU64 = (process: OciProcess, of: (value: U64) => U64): OciProcess => ({
  ...process,
  rlimits: process.rlimits.map(({ type, soft, hard }) => ({ type, soft: of(soft), hard: of(hard) })),
});

/** Every place of a specification that has a number of 64 bits. */
const withU64 = (spec: OciSpec, of: (value: U64) => U64): OciSpec => {
  const { resources, seccomp } = spec.linux;
  const hugepages = resources.hugepageLimits?.map(({ pageSize, limit }) => ({ pageSize, limit: of(limit) }));
  const syscalls = seccomp?.syscalls.map((rule) => ({
    ...rule,
    args: rule.args.map((arg) => ({ ...arg, value: of(arg.value), valueTwo: of(arg.valueTwo) })),
  }));
  return {
    ...spec,
    process: processWithU64(spec.process, of),
    linux: {
      ...spec.linux,
      resources: { ...resources, ...(hugepages && { hugepageLimits: hugepages }) },
      ...(seccomp && syscalls && { seccomp: { ...seccomp, syscalls } }),
    },
  };
};
