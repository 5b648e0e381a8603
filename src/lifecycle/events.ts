import { resourceExhausted, unavailable } from '../base/errors.js';
import type { Container } from '../store/container.js';
import type { ContainerStore } from '../store/container-store.js';
import type { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import { isVisible } from '../store/visible.js';
import { now } from '../base/clock.js';
import { type EventType, containerEvents, sandboxEvents } from './transitions.js';

/** Something happened to a container, or to a sandbox, which counts as a container here; records are as they were right after it. */
export interface PodEvent {
  readonly id: string;
  readonly type: EventType;
  readonly createdAt: string;
  /** Undefined when there is no such sandbox any more. */
  readonly sandbox: Sandbox | undefined;
  readonly containers: readonly Container[];
}

/** A minute of a node that starts and ends ten containers a second; records are shared with the store, so it is some hundred kilobytes. */
const MOST_UNREAD = 1024;

interface Reader {
  unread: PodEvent[];
  /** Why there will be no further events. */
  end: Error | undefined;
  wake: () => void;
}

/**
 * Changes of the store, told in their order to everybody who listens. Nobody waits for a reader: one that is too slow is cut off and
 * told so, because a reader that knows it missed something lists again, and one that does not know is wrong for ever.
 */
export class Events {
  readonly #readers = new Set<Reader>();
  #closed = false;

  constructor(
    private readonly sandboxes: ObjectStore<Sandbox>,
    private readonly containers: ContainerStore,
    private readonly mostUnread = MOST_UNREAD,
  ) {
    containers.changes.add((before, after) => this.#publish(before, after, after ?? before, containerEvents));
    sandboxes.changes.add((before, after) => this.#publish(before, after, undefined, sandboxEvents));
  }

  /** All events from now on, until `signal`; listening begins with the call, not with the first `next`. */
  listen(signal: AbortSignal): AsyncGenerator<PodEvent> {
    const reader: Reader = { unread: [], end: undefined, wake: () => undefined };
    if (this.#closed) reader.end = stopping();
    else this.#readers.add(reader);
    signal.addEventListener('abort', () => {
      this.#readers.delete(reader);
      reader.wake();
    });
    return this.#read(reader, signal);
  }

  /** Ends all streams: the daemon is going. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) this.#end(reader, stopping());
  }

  async *#read(reader: Reader, signal: AbortSignal): AsyncGenerator<PodEvent> {
    try {
      while (!signal.aborted) {
        const event = reader.unread.shift();
        if (event) yield event;
        else if (reader.end) throw reader.end;
        else await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  #publish<T extends Sandbox | Container>(
    before: T | undefined,
    after: T | undefined,
    container: Container | undefined,
    eventsOf: (before: T | undefined, after: T | undefined) => EventType[],
  ): void {
    if (this.#readers.size === 0) return;
    const object = after ?? before;
    if (!object) return;
    const types = eventsOf(before, after);
    if (types.length === 0) return;
    const sandboxId = container?.sandboxId ?? object.id;
    // A sandbox that is just gone is told about with its last status.
    const sandbox = this.sandboxes.get(sandboxId) ?? (container ? undefined : (object as Sandbox));
    const containers = this.containers.of(sandboxId).filter(isVisible);
    for (const type of types) this.#tell({ id: object.id, type, createdAt: now(), sandbox, containers });
  }

  #tell(event: PodEvent): void {
    for (const reader of this.#readers) {
      if (reader.unread.length < this.mostUnread) reader.unread.push(event);
      else this.#end(reader, tooSlow(this.mostUnread));
      reader.wake();
    }
  }

  #end(reader: Reader, cause: Error): void {
    this.#readers.delete(reader);
    reader.unread = [];
    reader.end = cause;
    reader.wake();
  }
}

const tooSlow = (unread: number): Error =>
  resourceExhausted(`too slow: the reader left ${unread} container events unread; list the pods and listen again`);

const stopping = (): Error => unavailable('the daemon is stopping: listen again when it is back, and list the pods');
