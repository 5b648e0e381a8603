import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { podRanges, renderTemplate, writePodNetwork } from './pod-cidr.js';

t.test('ranges', async (t) => {
  t.same(podRanges('10.1.0.0/24'), ['10.1.0.0/24']);
  t.same(podRanges('10.1.0.0/24, fd00::/64'), ['10.1.0.0/24', 'fd00::/64']);
  for (const text of ['10.1.0.0', '10.1.0.0/33', 'fd00::/129', '10.1.0/24', 'x', ',', '10.1.0.0/24,', '10.1.0.0/24"}'])
    t.throws(() => podRanges(text), { code: 3, message: /^not an address range/ }, text);
  t.throws(() => podRanges(Array.from({ length: 17 }, () => '10.0.0.0/8').join()), { code: 3 });
});

t.test('a template', async (t) => {
  const template = '{"subnet":"{{subnet}}","ranges":"{{ranges}}","routes":"{{routes}}"}';
  t.same(JSON.parse(renderTemplate(template, ['10.1.0.0/24', 'fd00::/64'])), {
    subnet: '10.1.0.0/24',
    ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  });
});

t.test('the file is made once and made anew when the range changes', async (t) => {
  const dir = t.testdir({ 'net.d': {}, template: '{"subnet":"{{subnet}}"}', broken: '{"subnet":{{subnet}}' });
  const made = () => readdirSync(`${dir}/net.d`).map((name) => readFileSync(`${dir}/net.d/${name}`, 'utf8'));
  t.equal(await writePodNetwork(`${dir}/net.d`, `${dir}/template`, ['10.1.0.0/24']), true);
  t.equal(await writePodNetwork(`${dir}/net.d`, `${dir}/template`, ['10.1.0.0/24']), false);
  t.same(made(), ['{"subnet":"10.1.0.0/24"}']);
  writeFileSync(`${dir}/template`, '{"a":"{{subnet}}"}');
  t.equal(await writePodNetwork(`${dir}/net.d`, `${dir}/template`, ['10.2.0.0/24']), true);
  t.same(made(), ['{"a":"10.2.0.0/24"}']);
  await t.rejects(writePodNetwork(`${dir}/net.d`, `${dir}/broken`, ['10.3.0.0/24']), { code: 9, message: /^not JSON/ });
  await t.rejects(writePodNetwork(`${dir}/net.d`, `${dir}/none`, ['10.3.0.0/24']), { code: 9, message: /^ENOENT/ });
  t.same(made(), ['{"a":"10.2.0.0/24"}'], 'and a failure leaves it as it is');
});
