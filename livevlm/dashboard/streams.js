// All streams, a card each.

import { Actions } from "./actions.js";
import { Card } from "./card.js";

export class Streams {
  #list;
  #empty;
  #cards = new Map();
  #tools;

  /** tools: what cards need: pictures, opened, act. */
  constructor(list, empty, tools) {
    this.#list = list;
    this.#empty = empty;
    this.#tools = tools;
  }

  get names() {
    return [...this.#cards.keys()];
  }

  /** listed: a `stream.listed`. */
  show(listed) {
    const now = Date.parse(listed.ts), there = new Set();
    for (const status of listed.streams) {
      there.add(status.name);
      if (!this.#cards.has(status.name)) this.#add(status.name);
      this.#cards.get(status.name).show(status, now);
    }
    for (const [name, card] of this.#cards) {
      if (!there.has(name)) {
        card.close();
        this.#cards.delete(name);
      }
    }
    this.#empty.hidden = there.size > 0;
  }

  remember(memories) {
    for (const memory of memories) this.#cards.get(memory.stream)?.remember(memory);
  }

  /** Light up what an answer was given from. */
  light(stream, evidence, focus) {
    this.#cards.get(stream)?.timeline.light(evidence, focus);
  }

  #add(name) {
    const { pictures, opened, act } = this.#tools;
    const card = new Card(name, { pictures, opened, actions: new Actions(name, act) });
    this.#cards.set(name, card);
    this.#list.append(card.root);
  }
}
