import type { Test } from 'tap';
import { Daemon, type DaemonOptions } from './daemon.js';
import type { Image } from './image.js';
import { busyboxImage } from './images.js';
import { type Registry, startRegistry } from './registry.js';

/** A daemon with a registry that it trusts. */
export interface Node {
  daemon: Daemon;
  registry: Registry;
  /** Reference of the busybox image, already pulled. */
  busybox: string;
  /** Pushes an image under this name and pulls it; answers its reference. */
  provide: (image: Image, name: string) => Promise<string>;
}

export const startNode = async (t: Pick<Test, 'teardown'>, options: DaemonOptions = {}): Promise<Node> => {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const daemon = await Daemon.start(t, options);
  await daemon.trust(registry);
  const provide = async (image: Image, name: string) => {
    const reference = await registry.push(image, name, '1');
    await daemon.cri.pullImage({ image: { image: reference } });
    return reference;
  };
  return { daemon, registry, provide, busybox: await provide(await busyboxImage(), 'busybox') };
};
