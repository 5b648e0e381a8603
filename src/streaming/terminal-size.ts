/** More than that between two sizes is not what a client sends. */
const PENDING_MAX = 1024;

/** Reads the sizes that a client sends: JSON objects one after another, `{"Width":80,"Height":24}`, in whatever pieces. */
export class TerminalSizes {
  #text = '';

  /** Calls back for each size that is complete; what is none is left out. */
  push(bytes: Buffer, report: (width: number, height: number) => void): void {
    const parts = (this.#text + bytes.toString('latin1')).split('}');
    this.#text = (parts.pop() ?? '').slice(-PENDING_MAX);
    for (const part of parts) {
      const size = parse(`${part}}`);
      if (size) report(...size);
    }
  }
}

const parse = (text: string): [number, number] | undefined => {
  try {
    const { Width: width, Height: height } = JSON.parse(text) as Record<string, unknown>;
    return isSize(width) && isSize(height) ? [width, height] : undefined;
  } catch {
    return undefined; // a client that sends something else has no size
  }
};

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff;
