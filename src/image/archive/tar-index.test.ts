import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { type Header, pack } from 'tar-stream';
import { readIndex } from './tar-index.js';

interface Entry extends Partial<Header> {
  name: string;
  content?: string;
}

const tar = async (...entries: Entry[]): Promise<Buffer> => {
  const archive = pack();
  const whole = buffer(archive);
  for (const { content = '', ...header } of entries) archive.entry({ size: content.length, ...header }, content);
  archive.finalize();
  return whole;
};

const index = (bytes: Buffer, size = bytes.length) =>
  readIndex(async (offset, length) => bytes.subarray(offset, offset + length), size, 'archive a.tar');

t.test('members have names and places, whatever wrote them', async (t) => {
  const long = `${'d'.repeat(80)}/${'e'.repeat(200)}/file`;
  const archive = await tar(
    { name: 'plain', content: 'one' },
    { name: './dotted', content: 'two' },
    { name: '/rooted/x', content: 'three' },
    { name: 'directory/', type: 'directory' },
    { name: `${'p'.repeat(90)}/${'q'.repeat(90)}`, content: 'prefix' },
    { name: long, content: 'pax' },
    { name: 'ünïcode', content: 'four' },
    { name: 'pipe', type: 'fifo' },
  );
  const members = await index(archive);
  const read = (name: string) => {
    const at = members.get(name);
    return at && 'offset' in at ? archive.toString('utf8', at.offset, at.offset + at.size) : at;
  };
  t.equal(read('plain'), 'one');
  t.equal(read('dotted'), 'two');
  t.equal(read('rooted/x'), 'three');
  t.equal(read(`${'p'.repeat(90)}/${'q'.repeat(90)}`), 'prefix');
  t.equal(read(long), 'pax');
  t.equal(read('ünïcode'), 'four');
  t.equal(members.size, 6, 'what holds nothing is not there');
});

t.test(
  "links lead to names of the archive: a symbolic one from where it is, a hard one from the archive's top",
  async (t) => {
    const members = await index(
      await tar(
        { name: 'a/layer.tar', type: 'symlink', linkname: '../b/layer.tar' },
        { name: 'c/layer.tar', type: 'link', linkname: 'b/layer.tar' },
      ),
    );
    t.strictSame([...members.values()], [{ link: 'b/layer.tar' }, { link: 'b/layer.tar' }]);
  },
);

t.test("GNU tar's long names", async (t) => {
  const block = async (name: string, content: string, type: string) => {
    const bytes = (await tar({ name, content })).subarray(0, 512 + Math.ceil(content.length / 512) * 512);
    bytes.write(type, 156);
    bytes.fill(' ', 148, 156);
    const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return bytes;
  };
  const name = 'n'.repeat(300);
  const bytes = Buffer.concat([await block('././@LongLink', `${name}\0`, 'L'), await block('nnn', 'x', '0')]);
  t.strictSame([...(await index(bytes)).keys()], [name]);
});

t.test('what leads out, comes twice, or is not whole is refused', async (t) => {
  const good = await tar({ name: 'f', content: 'x'.repeat(2000) });
  const damaged = Buffer.from(good);
  damaged.write('y', 0);
  const longHeader = await tar({ name: 'f', content: 'x', pax: { comment: 'c'.repeat(100_000) } });
  for (const [what, bytes, message] of [
    ['..', await tar({ name: '../f', content: 'x' }), /^leads out of the archive: name "..\/f" in archive a.tar$/],
    ['.. within', await tar({ name: 'a/../../f', content: 'x' }), /^leads out/],
    ['symbolic link', await tar({ name: 'f', type: 'symlink', linkname: '../etc/passwd' }), /^leads out/],
    ['absolute link', await tar({ name: 'f', type: 'symlink', linkname: '/etc/passwd' }), /^leads out/],
    ['hard link', await tar({ name: 'a/f', type: 'link', linkname: '../f' }), /^leads out/],
    ['twice', await tar({ name: 'f', content: 'x' }, { name: './f', content: 'y' }), /^two members of one name: "f"/],
    ['cut in the first header', good.subarray(0, 100), /^no tar archive/],
    [
      'cut in a header',
      Buffer.concat([good.subarray(0, 2560), Buffer.alloc(100, 'x')]),
      /^cut off at byte 2560: archive a.tar$/,
    ],
    ['cut in a file', good.subarray(0, 1000), /^cut off at byte 1000/],
    ['cut in the padding', good.subarray(0, 2530), /^cut off at byte 2560/],
    ['damaged', damaged, /^no tar archive, or a damaged one: archive a.tar$/],
    ['empty', Buffer.alloc(0), /^no tar archive/],
    ['no tar', Buffer.alloc(2000, 'x'), /^no tar archive/],
    ['long header', longHeader, /^header longer than/],
  ] as const)
    await t.rejects(index(bytes), { message }, what);
});
