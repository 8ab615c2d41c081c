// What the daemon was told to look out for, and when it last found it.

import { element, say } from "./elements.js";
import { clock, moment, percent } from "./words.js";

export class Watches {
  #section;
  #list;
  #tools;
  #lines = new Map();

  /** tools: pictures, opened(items), drop(id): tell the daemon to watch no longer. */
  constructor(section, list, tools) {
    this.#section = section;
    this.#list = list;
    this.#tools = tools;
  }

  /** watches: of a `watch.listed`. */
  show(watches) {
    const there = new Set(watches.map((watch) => watch.id));
    for (const watch of watches) {
      if (!this.#lines.has(watch.id)) {
        this.#lines.set(watch.id, new Line(watch, this.#tools));
        this.#list.append(this.#lines.get(watch.id).root);
      }
      this.#lines.get(watch.id).show(watch);
    }
    for (const [id, line] of this.#lines) {
      if (there.has(id)) continue;
      line.root.remove();
      this.#lines.delete(id);
    }
    this.#section.hidden = there.size === 0;
  }

  /** event: a `watch.triggered`. */
  found(event) {
    this.#lines.get(event.watch.id)?.found(event);
  }
}

class Line {
  #facts = element("p", { class: "quiet" });
  #image = element("img", { alt: "", width: 48, height: 48 });
  #seen = element("button", { type: "button", class: "seen", hidden: true }, this.#image);
  #pictures;
  #item = null;

  constructor(watch, { pictures, opened, drop }) {
    this.#pictures = pictures;
    const gone = element("button", { type: "button", class: "plain", "aria-label": `Stop watching for ${watch.condition}` }, "Stop");
    gone.addEventListener("click", () => drop(watch.id));
    this.#seen.addEventListener("click", () => opened([this.#item]));
    this.root = element("li", { class: "watch" }, element("span", { class: "dot" }),
      element("div", {}, element("p", { class: "condition" }, watch.condition), this.#facts), this.#seen, gone);
  }

  show({ stream, state, probability, triggers, triggered_utc: last }) {
    this.root.dataset.state = state;
    const told = [stream, state];
    if (probability !== null) told.push(`yes at ${percent(probability)}`);
    if (triggers) told.push(`found ${triggers === 1 ? "once" : `${triggers} times`}, last ${moment(last)}`);
    say(this.#facts, told.join(" · "));
  }

  async found({ watch, at, thumbnail, probability }) {
    const time = clock(at.stream_s);
    this.#item = { path: thumbnail, title: `${watch.stream}, ${time}`, caption: `${watch.condition} · ${moment(at.utc)} · yes at ${percent(probability)}` };
    this.#seen.setAttribute("aria-label", `found at ${time}: show large`);
    const address = thumbnail && (await this.#pictures.at(thumbnail));
    if (address) this.#image.src = address;
    this.#seen.hidden = !address;
  }
}
