import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { AttachedInputs } from './attached-inputs.js';

t.test('all inputs of one container end, those of another do not', async (t) => {
  const inputs = new AttachedInputs();
  const [first, second, other] = [new PassThrough(), new PassThrough(), new PassThrough()];
  inputs.reserve('c')(first);
  inputs.reserve('c')(second);
  inputs.reserve('d')(other);
  first.write('delivered');
  inputs.endAll('c');
  t.equal(String(first.read()), 'delivered');
  t.ok(first.writableEnded && second.writableEnded);
  t.notOk(other.writableEnded);
});

t.test('an end between the opening of an input and its arrival is its end', async (t) => {
  const inputs = new AttachedInputs();
  const arrived = inputs.reserve('c');
  inputs.endAll('c');
  const late = new PassThrough();
  arrived(late);
  t.ok(late.writableEnded, 'or the container would never read an end of file');
  late.destroy();
  await once(late, 'close');
  const next = new PassThrough();
  inputs.reserve('c')(next);
  t.notOk(next.writableEnded, 'an end is that of inputs, not of the container for ever');
});

t.test('inputs that never came or went by themselves are forgotten', async (t) => {
  const inputs = new AttachedInputs();
  inputs.reserve('c')(undefined);
  const gone = new PassThrough();
  gone.destroy();
  inputs.reserve('c')(gone);
  const kept = new PassThrough();
  inputs.reserve('c')(kept);
  inputs.endAll('c');
  t.notOk(gone.writableEnded);
  t.ok(kept.writableEnded);
});
