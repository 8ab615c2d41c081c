// How fast a counter grows, over the last seconds.

const WINDOW_MS = 12000;

export class Rate {
  #seen = [];

  /** The counter at a moment in milliseconds -> how much it grows a second, or null while too little is known. */
  add(at, counter) {
    // A counter that falls belongs to another life of the daemon.
    if (this.#seen.length && counter < this.#seen.at(-1).counter) this.#seen = [];
    this.#seen.push({ at, counter });
    while (this.#seen.length > 2 && at - this.#seen[0].at > WINDOW_MS) this.#seen.shift();
    const first = this.#seen[0];
    return at - first.at < 1500 ? null : (1000 * (counter - first.counter)) / (at - first.at);
  }
}
