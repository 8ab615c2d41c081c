// A frame, large, with its time; and from there to the others that an answer was given from.

import { byId, say } from "./elements.js";

export class Viewer {
  #dialog = byId("viewer");
  #image = byId("viewer-image");
  #before = byId("viewer-before");
  #next = byId("viewer-next");
  #pictures;
  #items = [];
  #place = 0;

  constructor(pictures) {
    this.#pictures = pictures;
    byId("viewer-close").addEventListener("click", () => this.#dialog.close());
    this.#before.addEventListener("click", () => this.#show(this.#place - 1));
    this.#next.addEventListener("click", () => this.#show(this.#place + 1));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.#show(this.#place + step);
    });
  }

  /** items: {title, caption?, and path or address} each; the one at that place is shown first. */
  open(items, place = 0) {
    this.#items = items;
    this.#show(place);
    this.#dialog.showModal();
  }

  async #show(place) {
    if (place < 0 || place >= this.#items.length) return;
    this.#place = place;
    const { title, caption = "", path, address } = this.#items[place];
    say(byId("viewer-title"), title);
    say(byId("viewer-caption"), caption);
    this.#before.disabled = place === 0;
    this.#next.disabled = place === this.#items.length - 1;
    this.#before.parentElement.hidden = this.#items.length < 2;
    this.#image.hidden = true;
    const found = address ?? (path && (await this.#pictures.at(path)));
    if (this.#place !== place) return;
    if (!found) return say(byId("viewer-caption"), `${caption}${caption && " · "}no picture of this is kept`);
    this.#image.src = found;
    this.#image.alt = title;
    this.#image.hidden = false;
  }
}
