/** Cuts a stream into frames, each a header of fixed length that tells how much follows it. Nothing beyond `most` is ever kept. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(
    private readonly headerLength: number,
    private readonly lengthAt: number,
    /** Largest body. */
    private readonly most: number,
  ) {}

  /**
   * The frames that are complete with this chunk.
   * @throws Error for a frame that is longer than allowed: nothing after it can be read.
   */
  push(chunk: Buffer): Array<{ header: Buffer; body: Buffer }> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Array<{ header: Buffer; body: Buffer }> = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): { header: Buffer; body: Buffer } | undefined {
    if (this.#length < this.headerLength) return undefined;
    const header = this.#peek(this.headerLength);
    const bodyLength = header.readUInt32BE(this.lengthAt);
    if (bodyLength > this.most) throw new Error(`frame of ${bodyLength} bytes, the most is ${this.most}`);
    const whole = this.headerLength + bodyLength;
    if (this.#length < whole) return undefined;
    const bytes = this.#peek(whole);
    const rest = bytes.subarray(whole);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    return { header: bytes.subarray(0, this.headerLength), body: bytes.subarray(this.headerLength, whole) };
  }

  /** At least so many bytes in one piece; chunks are put together only when a frame is complete. */
  #peek(length: number): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= length) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
