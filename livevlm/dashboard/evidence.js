// What an answer was given from: small pictures with their time, tier and score, that can be opened.

import { element, say } from "./elements.js";
import { TIERS, moment, percent, stretch } from "./words.js";

export class Evidence {
  #pictures;
  #opened;
  #looked;
  #spans = [];

  /** opened(items, place): somebody wants to see one large, and perhaps the others. looked(place): somebody points at one. */
  constructor(pictures, { opened, looked }) {
    this.#pictures = pictures;
    this.#opened = opened;
    this.#looked = looked;
    this.root = element("ul", { class: "evidence", "aria-label": "given from" });
    this.note = element("p", { class: "quiet" });
  }

  get spans() {
    return this.#spans;
  }

  /** spans: the `evidence` of an event, best first. */
  show(spans) {
    this.#spans = spans;
    this.root.replaceChildren(...spans.map((span, place) => element("li", {}, this.#thumbnail(span, place))));
    say(this.note, spans.length ? "" : "nothing was recalled");
  }

  #thumbnail(span, place) {
    const image = element("img", { alt: "", width: 72, height: 72, hidden: true });
    const time = stretch(span.from_s, span.to_s);
    const button = element("button", { type: "button", class: `thumb ${span.tier}`, "aria-label": `${time}, ${TIERS[span.tier]}, ${percent(span.score)} of the attention: show large` },
      element("span", { class: "box" }, image), element("span", {}, time), element("span", { class: "quiet" }, percent(span.score)));
    button.addEventListener("click", () => this.#opened(this.#items(), place));
    for (const name of ["focus", "pointerenter"]) button.addEventListener(name, () => this.#looked(place));
    for (const name of ["blur", "pointerleave"]) button.addEventListener(name, () => this.#looked(-1));
    if (span.thumbnail) this.#fetch(span.thumbnail, image);
    return button;
  }

  async #fetch(path, image) {
    const address = await this.#pictures.at(path);
    if (address) image.src = address;
    image.hidden = !address;
  }

  #items() {
    return this.#spans.map((span) => ({
      path: span.thumbnail,
      title: `${span.stream}, ${stretch(span.from_s, span.to_s)}`,
      caption: `${moment(span.from_utc)} · ${TIERS[span.tier]} memory · ${percent(span.score)} of the attention on the video`,
    }));
  }
}
