import { unavailable } from '../base/errors.js';
import { Slots } from '../base/slots.js';

/** In all as many as the spawner runs at once (RUNS_MAX in run.c). */
const PLACES = { 'cni-add': 64, 'cni-del': 32, other: 32 };
/** The kubelet gives StopPodSandbox two minutes, of which the program itself needs the most. */
const WAIT_MS = 30_000;

export type ProgramKind = keyof typeof PLACES;

/** Host programs wait for others of their kind only: however many hang, what makes room for pods, and what removes them, still runs. */
export class ProgramPlaces {
  readonly #slots: Record<ProgramKind, Slots>;

  constructor(
    private readonly places: Record<ProgramKind, number> = PLACES,
    private readonly waitMs = WAIT_MS,
  ) {
    this.#slots = {
      'cni-add': new Slots(places['cni-add']),
      'cni-del': new Slots(places['cni-del']),
      other: new Slots(places.other),
    };
  }

  /** @throws UNAVAILABLE when nothing has ended for so long that the client had better ask again. */
  async run<T>(kind: ProgramKind, program: () => Promise<T>): Promise<T> {
    const patience = AbortSignal.timeout(this.waitMs);
    let begun = false;
    const begin = () => {
      begun = true;
      return program();
    };
    try {
      return await this.#slots[kind].run(patience, begin);
    } catch (error) {
      if (begun) throw error;
      throw unavailable(
        `${this.places[kind]} programs are running (${kind}) and none ended within ${this.waitMs / 1000} s; find out what they wait for`,
        error,
      );
    }
  }
}
