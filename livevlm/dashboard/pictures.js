// Pictures from the daemon: fetched with the token, which an <img> could not show, and given out as blobs.

import { headers } from "./token.js";

const MOST_KEPT = 256;

export class Pictures {
  #kept = new Map();

  /** A new daemon may number its frames anew: what was fetched from the last one is not asked for again by the same name. */
  forget() {
    this.#kept.clear();
  }

  /** The address of a picture that never changes, or null where there is none. */
  async at(path) {
    if (!this.#kept.has(path)) {
      if (this.#kept.size >= MOST_KEPT) this.#letGo(this.#kept.keys().next().value);
      this.#kept.set(path, this.fresh(path));
    }
    const url = await this.#kept.get(path);
    if (url === null) this.#kept.delete(path);
    return url;
  }

  async #letGo(path) {
    const url = this.#kept.get(path);
    this.#kept.delete(path);
    URL.revokeObjectURL(await url);
  }

  /** The address of a picture as it is now, or null. Whoever asked gives it back with URL.revokeObjectURL. */
  async fresh(path) {
    try {
      const answer = await fetch(path, { headers: headers(), cache: "no-store" });
      return answer.ok ? URL.createObjectURL(await answer.blob()) : null;
    } catch {
      return null;
    }
  }
}
