import type { Container } from './container.js';
import type { Journal } from './journal.js';
import { ObjectStore } from './object-store.js';

export class ContainerStore extends ObjectStore<Container> {
  constructor(journal: Journal, upgrade?: (record: Container) => Container) {
    super('container', journal, upgrade);
  }

  /** Those of one pod, whatever they have come to. */
  of(sandboxId: string): Container[] {
    return this.list().filter((container) => container.sandboxId === sandboxId);
  }
}
