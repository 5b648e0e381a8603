import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { SpdyConnection } from './connection.js';
import { dataHeader, FrameType, pingFrame, resetFrame } from './frame.js';
import { type ControlFrame, type DataFrame, FrameParser } from './frame-parser.js';
import { HeaderEncoder } from './header-block.js';
import type { SpdyStream } from './stream.js';

const SENTINEL = 0x7fffffff;

/** A connection whose client is the test: what it writes is `sent`, frame by frame. */
const connect = (maxStreams = 10, onStream = (stream: SpdyStream) => stream.accept()) => {
  const parser = new FrameParser();
  const sent: (DataFrame | ControlFrame)[] = [];
  const streams: SpdyStream[] = [];
  const ends: (Error | undefined)[] = [];
  const transport = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, callback) => {
      parser.push(chunk);
      for (let frame = parser.next(); frame; frame = parser.next()) sent.push(frame);
      callback();
    },
  });
  const connection = new SpdyConnection(transport, maxStreams, {
    onActivity: () => undefined,
    onStream: (stream) => {
      streams.push(stream);
      onStream(stream);
    },
    onClose: (cause) => ends.push(cause),
  });
  const types = () => sent.map((frame) => (frame.kind === 'data' ? 'data' : frame.type));
  const settle = async () => {
    for (let i = 0; i < 20; i++) await turn();
  };
  const when = async (what: () => boolean) => {
    while (!what()) await turn();
    await settle();
  };
  /** Pushes frames and waits until all are handled: until the ping behind them is answered, or everything is over. */
  const arrive = async (...frames: Buffer[]) => {
    for (const frame of [...frames, pingFrame(SENTINEL)]) transport.push(frame);
    const isAnswer = (frame: DataFrame | ControlFrame) => frame.payload.equals(pingFrame(SENTINEL).subarray(8));
    await when(() => ends.length > 0 || sent.some(isAnswer));
    const answer = sent.findIndex(isAnswer);
    if (answer >= 0) sent.splice(answer, 1);
  };
  return { connection, transport, streams, ends, sent, types, arrive, when, settle };
};

const textOf = (stream: SpdyStream): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    stream.on('end', () => resolve(text));
  });

/** What clients send and a server only reads. */
const synStreamFrame = (streamId: number, headers: Buffer): Buffer => {
  const frame = Buffer.alloc(18 + headers.length);
  frame.writeUInt32BE(0x80030000 + FrameType.SYN_STREAM, 0);
  frame.writeUInt32BE(10 + headers.length, 4);
  frame.writeUInt32BE(streamId, 8);
  headers.copy(frame, 18);
  return frame;
};

const opening = () => {
  const encoder = new HeaderEncoder();
  return (id: number, type = 'data') => synStreamFrame(id, encoder.encode([['streamtype', type]]));
};

const data = (id: number, bytes: string | Buffer, fin = false): Buffer =>
  Buffer.concat([dataHeader(id, bytes.length, fin), Buffer.from(bytes)]);

const destroyed = (t: Test, { streams, ends }: ReturnType<typeof connect>, cause: RegExp) => {
  t.equal(ends.length, 1, 'it ends once');
  t.match(ends[0]?.message, cause);
  t.ok(
    streams.every((stream) => stream.destroyed),
    'and its streams with it',
  );
};

t.test('a stream is answered, carries bytes both ways, and ends both ways', async (t) => {
  const c = connect();
  const open = opening();
  await c.arrive(open(1, 'stdin'), data(1, 'hel'), data(1, 'lo', true));
  const [stream] = c.streams;
  if (!stream) throw new Error('no stream');
  t.equal(stream.headers.get('streamtype'), 'stdin');
  t.same(c.types(), [FrameType.SYN_REPLY]);
  t.equal(await textOf(stream), 'hello');
  stream.end('bye');
  await c.settle();
  t.match(c.sent.slice(1), [
    { kind: 'data', streamId: 1, payload: Buffer.from('bye'), fin: false },
    { kind: 'data', streamId: 1, payload: Buffer.alloc(0), fin: true },
  ]);
  t.ok(stream.destroyed, 'it is over');
  t.equal(c.connection.streams, 0);
  t.notOk(c.types().includes(FrameType.RST_STREAM), 'without a reset');
  c.connection.destroy();
});

t.test('frames are read wherever the bytes are cut', async (t) => {
  const bytes = (() => {
    const open = opening();
    return Buffer.concat([
      open(1),
      data(1, 'ab'),
      pingFrame(1),
      data(1, ''),
      data(1, 'c', true),
      open(3),
      resetFrame(3, 5),
    ]);
  })();
  for (let piece = 1; piece < 20; piece++) {
    const c = connect();
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += piece) pieces.push(bytes.subarray(at, at + piece));
    await c.arrive(...pieces);
    const [first, second] = c.streams;
    t.equal(first && (await textOf(first)), 'abc');
    t.ok(second?.destroyed, 'the second was reset');
    c.connection.destroy();
  }
});

t.test('a stream that is destroyed is reset; one that the client resets is only over', async (t) => {
  const c = connect();
  const open = opening();
  await c.arrive(open(1), open(3));
  c.streams[0]?.destroy();
  await c.arrive(resetFrame(3, 5), data(1, 'late'), data(3, 'late'));
  t.ok(c.streams[1]?.destroyed);
  t.equal(c.types().filter((type) => type === FrameType.RST_STREAM).length, 1);
  t.same(c.ends, [], 'the connection goes on');
  c.connection.destroy();
});

t.test('pings are answered, but not those that answer ours', async (t) => {
  const c = connect();
  c.connection.ping();
  await c.arrive(pingFrame(1), pingFrame(2));
  t.match(
    c.sent,
    [{ type: FrameType.PING, payload: Buffer.of(0, 0, 0, 1) }],
    'nothing of ours before the client spoke',
  );
  await c.arrive(opening()(1));
  c.connection.ping();
  await c.settle();
  t.match(c.sent.at(-1), { type: FrameType.PING, payload: Buffer.of(0, 0, 0, 2) });
  c.connection.destroy();
});

t.test('a receiver that does not read holds the client back, until it reads', async (t) => {
  const c = connect();
  const open = opening();
  await c.arrive(open(1), open(3));
  const [slow, other] = c.streams;
  if (!slow || !other) throw new Error('no streams');
  c.transport.push(data(1, Buffer.alloc(2 << 20)));
  await c.when(() => c.transport.isPaused());
  slow.resume();
  await c.arrive(data(3, 'now', true));
  t.notOk(c.transport.isPaused());
  t.equal(await textOf(other), 'now');
  await c.arrive(open(5));
  c.transport.push(data(5, Buffer.alloc(2 << 20)));
  await c.when(() => c.transport.isPaused());
  c.streams[2]?.destroy();
  await c.when(() => !c.transport.isPaused());
  t.pass('one that is given up holds nobody back');
  c.connection.destroy();
});

t.test('more streams than allowed are refused one by one', async (t) => {
  const c = connect(2);
  const open = opening();
  await c.arrive(open(1), open(3), open(5), open(7));
  t.equal(c.streams.length, 2);
  t.match(
    c.sent.filter((frame) => frame.kind === 'control' && frame.type === FrameType.RST_STREAM),
    [{ payload: Buffer.of(0, 0, 0, 5, 0, 0, 0, 3) }, { payload: Buffer.of(0, 0, 0, 7, 0, 0, 0, 3) }],
  );
  c.connection.destroy();
});

const controlFrame = (type: number, length: number): Buffer => {
  const frame = Buffer.alloc(8 + length);
  frame.writeUInt16BE(0x8003, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUIntBE(length, 5, 3);
  return frame;
};

for (const [what, frames, cause] of [
  ['a stream with an even number', () => [opening()(2)], /stream 2 after 0/],
  ['a stream that was there before', (open = opening()) => [open(1), open(1)], /stream 1 after 1/],
  ['a number that goes back', (open = opening()) => [open(5), open(3)], /stream 3 after 5/],
  ['another version', () => [Buffer.of(0x80, 2, 0, 1, 0, 0, 0, 0)], /version 2/],
  ['CVE-2026-35469: a huge control frame', () => [controlFrame(FrameType.SETTINGS, 16385)], /16385 bytes/],
  ['CVE-2026-35469: endless SETTINGS', () => Array.from({ length: 1001 }, () => controlFrame(4, 4)), /SETTINGS/],
  ['a truncated SYN_STREAM', () => [controlFrame(FrameType.SYN_STREAM, 9)], /truncated/],
  ['a truncated PING', () => [controlFrame(FrameType.PING, 3)], /truncated/],
  ['a header block that is none', () => [controlFrame(FrameType.SYN_STREAM, 30)], /header block/],
] as [string, () => Buffer[], RegExp][])
  t.test(`${what} ends the connection`, async (t) => {
    const c = connect();
    await c.arrive(...frames());
    await c.settle();
    destroyed(t, c, cause);
  });

t.test('the end of the transport is the end of all', async (t) => {
  const c = connect();
  await c.arrive(opening()(1));
  c.transport.destroy();
  await c.settle();
  t.same(c.ends, [undefined]);
  t.ok(c.streams[0]?.destroyed);
});

t.test('whatever arrives, the connection lives on or ends, and keeps no more than it may', async () => {
  const script = () => {
    const open = opening();
    return Buffer.concat([
      open(1, 'error'),
      open(3, 'stdin'),
      data(3, 'x'.repeat(100)),
      pingFrame(7),
      controlFrame(FrameType.SETTINGS, 12),
      controlFrame(FrameType.WINDOW_UPDATE, 8),
      data(1, '', true),
      resetFrame(3, 5),
      open(5, 'stdout'),
      controlFrame(FrameType.GOAWAY, 8),
    ]);
  };
  const mutation = fc.record({
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
    how: fc.constantFrom('set', 'cut', 'double'),
  });
  const mutate = (bytes: Buffer, { at, byte, how }: { at: number; byte: number; how: string }): Buffer => {
    const where = at % bytes.length;
    if (how === 'cut') return Buffer.concat([bytes.subarray(0, where), bytes.subarray(where + 1 + (byte % 16))]);
    if (how === 'double') return Buffer.concat([bytes.subarray(0, where), bytes]);
    const copy = Buffer.from(bytes);
    copy[where] = byte;
    return copy;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(mutation, { maxLength: 4 }),
      fc.integer({ min: 5, max: 200 }),
      async (mutations, piece) => {
        const bytes = mutations.reduce<Buffer>((all, one) => (all.length > 0 ? mutate(all, one) : all), script());
        const c = connect(4, (stream) => stream.accept());
        const pieces: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += piece) pieces.push(bytes.subarray(at, at + piece));
        for (const one of pieces) c.transport.push(one);
        await c.settle();
        if (c.connection.streams > 4 || c.ends.length > 1) return false;
        c.connection.destroy();
        await c.settle();
        return c.ends.length === 1 && c.streams.every((stream) => stream.destroyed);
      },
    ),
    { numRuns: 1000 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const c = connect();
      c.transport.push(Buffer.from(bytes));
      await c.settle();
      c.connection.destroy();
      return c.ends.length === 1;
    }),
    { numRuns: 1000 },
  );
});
