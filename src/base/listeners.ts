/** Who wants to hear of something: as many as like, each in the order in which they came. */
export class Listeners<News extends readonly unknown[]> {
  readonly #all = new Set<(...news: News) => void>();

  /** Answers how to stop listening. */
  add(listener: (...news: News) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  /** One that throws keeps nobody from hearing of it, least of all whoever tells: its fault comes out as an unhandled rejection. */
  tell(...news: News): void {
    for (const listener of this.#all) {
      try {
        listener(...news);
      } catch (error) {
        void Promise.reject(new Error('a listener failed', { cause: error }));
      }
    }
  }
}
