import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { buildImage, buildIndex, hostArchitecture, type Image } from './harness/image.js';
import { busyboxImage } from './harness/images.js';
import { buildLayer, file } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

// One image has one ID, whatever it is called, and every list shows a pull or a removal as soon as it has been answered.
const OTHER = 'registry.example';
let node: Node;

t.before(async () => {
  node = await startNode(t);
  // Another registry with the same content, as a mirror serves it.
  await mkdir(join(node.daemon.certs, OTHER));
  await writeFile(join(node.daemon.certs, OTHER, 'hosts.toml'), `[host."${node.registry.url}"]\n`);
});

const pull = async (image: string): Promise<string> => (await node.daemon.cri.pullImage({ image: { image } })).imageRef;
const statusOf = async (image: string) => (await node.daemon.cri.imageStatus({ image: { image } })).image;
const remove = (image: string) => node.daemon.cri.removeImage({ image: { image } });
const listed = async () => (await node.daemon.cri.listImages({})).images.map(({ id }) => id).sort();

let made = 0;
/** An image that no other test has. */
const someImage = async (User = ''): Promise<Image> =>
  buildImage([await buildLayer([file('content', `number ${++made}`)])], { config: { User } });

t.test('ID, tags and digests name the same image, and all of them give the same answer', async (t) => {
  const image = await someImage();
  const tags = ['one', 'three', 'two'];
  const references = [];
  for (const tag of tags) references.push(await node.registry.push(image, 'identity/many', tag));
  for (const reference of references) t.equal(await pull(reference), image.id);
  const digest = `${node.registry.host}/identity/many@${image.digest}`;
  const answers = await Promise.all([image.id, ...references, digest].map(statusOf));
  const [first] = answers;
  t.match(first, { id: image.id, repoTags: references, repoDigests: [digest] });
  t.ok(Number(first?.size) > 0);
  for (const answer of answers) t.same(answer, first);
  t.same(
    (await node.daemon.cri.listImages({ filter: { image: { image: references[1] ?? '' } } })).images,
    [first],
    'the list too',
  );
  await remove(references[1] ?? '');
  for (const name of [image.id, ...references, digest]) t.equal(await statusOf(name), null, 'one tag takes all along');
});

t.test(
  'a reference without a tag is :latest; one by digest has no tag, and the digest that was asked for',
  async (t) => {
    const image = await someImage();
    const tagged = await node.registry.push(image, 'identity/latest');
    const bare = tagged.replace(/:latest$/, '');
    await pull(bare);
    t.same((await statusOf(bare))?.repoTags, [tagged]);
    await remove(bare);

    const index = buildIndex([{ image: await someImage(), platform: { architecture: hostArchitecture() } }]);
    await node.registry.push(index, 'identity/index', '1');
    const byDigest = `${node.registry.host}/identity/index@${index.digest}`;
    const id = await pull(byDigest);
    t.equal(id, index.children[0]?.id);
    t.match(await statusOf(byDigest), { id, repoTags: [], repoDigests: [byDigest] });
    await remove(byDigest);
    t.equal(await statusOf(id), null);
  },
);

t.test('the same content from two registries is one image; removing it removes it for both', async (t) => {
  const image = await someImage();
  const here = await node.registry.push(image, 'identity/shared', '1');
  const there = here.replace(node.registry.host, OTHER);
  t.equal(await pull(here), image.id);
  t.equal(await pull(there), image.id);
  const found = await statusOf(image.id);
  t.same(found?.repoTags.sort(), [here, there].sort(), 'each with the host it was asked for from');
  t.same(found?.repoDigests.sort(), [here, there].map((name) => name.replace(/:1$/, `@${image.digest}`)).sort());
  await remove(there);
  for (const name of [here, there, image.id]) t.equal(await statusOf(name), null);
});

t.test('a pull is listed when it is answered; five removals at once succeed, and each leaves nothing', async (t) => {
  const before = await listed();
  const images = await Promise.all([someImage(), someImage(), someImage()]);
  for (const [index, image] of images.entries()) {
    await pull(await node.registry.push(image, `identity/list-${index}`));
    t.ok((await listed()).includes(image.id));
    t.equal((await statusOf(image.id))?.id, image.id);
  }
  t.same(await listed(), [...before, ...images.map(({ id }) => id)].sort());
  for (const { id } of images) {
    await Promise.all(
      [1, 2, 3, 4, 5].map(async () => {
        await remove(id);
        t.equal(await statusOf(id), null);
      }),
    );
    t.notOk((await listed()).includes(id));
  }
  t.same(await listed(), before);
});

t.test('the user of an image: a number or a name, never both, never the group', async (t) => {
  const users = [
    ['1002', { uid: { value: '1002' }, username: '' }],
    ['www-data', { uid: null, username: 'www-data' }],
    ['1003:1004', { uid: { value: '1003' }, username: '' }],
    ['www-data:1004', { uid: null, username: 'www-data' }],
    ['', { uid: null, username: '' }],
  ] as const;
  for (const [index, [user, expected]] of users.entries()) {
    const id = await pull(await node.registry.push(await someImage(user), `identity/user-${index}`));
    const { uid, username } = (await statusOf(id)) ?? {};
    t.same({ uid, username }, expected, user);
    await remove(id);
  }
});

t.test(
  'a container made by the ID of its image has that ID everywhere, is called by its name, and keeps what it runs',
  async (t) => {
    const { cri } = node.daemon;
    const image = await busyboxImage({ Labels: { of: 'this test' } });
    const reference = await node.registry.push(image, 'identity/run', '1');
    const id = await pull(reference);
    const pod = await Pod.run(node.daemon);
    const containerId = await pod.start(id);
    const status = await pod.status(containerId);
    t.match(status, { imageId: id, image: { image: reference } });
    t.ok(status.imageRef);
    const { containers } = await cri.listContainers({ filter: { id: containerId } });
    t.match(containers, [{ imageId: id, image: { image: reference } }]);
    await remove(id);
    t.equal(await statusOf(id), null);
    t.match(
      await pod.exec(containerId, 'cat', '/etc/passwd'),
      { code: 0, stdout: /^root:/ },
      'its files are still there',
    );
    await pod.remove();
  },
);

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
