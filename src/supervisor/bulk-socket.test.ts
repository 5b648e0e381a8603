import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { BulkSocket } from './bulk-socket.js';

/** A pipe; its reading end is the socket's. */
const pipe = (test: Test): { socket: BulkSocket; writer: number } => {
  const path = join(test.testdir(), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const socket = new BulkSocket(reader, { writable: false });
  test.teardown(() => void socket.destroy());
  return { socket, writer };
};

t.test("bytes are the receiver's own until it is done with them", async (test) => {
  const { socket, writer } = pipe(test);
  const sent = randomBytes(3 << 20);
  const seen: Buffer[] = [];
  socket.flow((bytes, done) => {
    void (async () => {
      for (let i = 0; i < 20; i++) await turn();
      seen.push(Buffer.from(bytes));
      done();
    })();
  });
  const source = new Socket({ fd: writer, readable: false, writable: true });
  source.end(sent);
  await once(socket, 'close');
  while (Buffer.concat(seen).length < sent.length) await turn();
  test.ok(Buffer.concat(seen).equals(sent), 'all of it, in order and unchanged');
});

t.test('reading stops while the receiver has all buffers, and goes on behind it', async (test) => {
  const { socket, writer } = pipe(test);
  const pieces: { bytes: string; done: () => void }[] = [];
  socket.flow((bytes, done) => void pieces.push({ bytes: bytes.toString(), done }));
  const write = async (text: string) => {
    writeSync(writer, text);
    for (let i = 0; i < 50; i++) await turn();
  };
  await write('one');
  test.notOk(socket.isHeld);
  await write('two');
  test.ok(socket.isHeld);
  await write('three');
  test.same(
    pieces.map(({ bytes }) => bytes),
    ['one', 'two'],
  );
  pieces[0]?.done();
  while (pieces.length < 3) await turn();
  test.equal(pieces[2]?.bytes, 'three');
  closeSync(writer);
});

t.test('without a receiver nothing is read, not even the end', async (test) => {
  const { socket, writer } = pipe(test);
  writeSync(writer, 'last words');
  closeSync(writer);
  for (let i = 0; i < 50; i++) await turn();
  test.notOk(socket.readableEnded);
  let text = '';
  socket.flow((bytes, done) => {
    text += bytes.toString();
    done();
  });
  await once(socket, 'end');
  test.equal(text, 'last words');
});
