const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/y;

/** Milliseconds of a time as Go writes it: `1m30s`, `500ms`. Undefined when it is none. */
export const parseDuration = (text: string): number | undefined => {
  let [at, ms] = [0, 0];
  while (at < text.length) {
    PART.lastIndex = at;
    const [, number, unit = ''] = PART.exec(text) ?? [];
    if (number === undefined) return undefined;
    ms += Number(number) * (UNITS[unit] ?? Number.NaN);
    at = PART.lastIndex;
  }
  return at > 0 ? ms : undefined;
};
