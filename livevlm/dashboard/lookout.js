// The picture of a stream: the newest one, or that of the moment which somebody looks back to.

import { element, say } from "./elements.js";
import { clock } from "./words.js";

const SETTLE_MS = 120, NEWEST = "newest";

export class Lookout {
  #name;
  #pictures;
  #image;
  #label = element("span", { class: "moment" }, "no picture");
  #newest = null;
  #shown = null;
  #timer = 0;
  #own = null;
  #fetching = false;
  #late = false;
  #inView = false;
  #watcher;

  /** opened({address, title}): somebody wants to see it large. */
  constructor(name, pictures, opened) {
    this.#name = name;
    this.#pictures = pictures;
    this.#image = element("img", { alt: "", width: 96, height: 96, hidden: true });
    this.root = element("button", { type: "button", class: "picture", "aria-label": `${name}: show the picture large` }, this.#image, this.#label);
    this.root.disabled = true;
    this.root.addEventListener("click", () => opened({ address: this.#image.src, title: `${name}, ${this.#label.textContent}` }));
    this.slider = element("input", { type: "range", step: "any", "aria-label": `${name}: look back`, disabled: true });
    this.slider.addEventListener("input", () => this.#moved());
    this.slider.addEventListener("keydown", (event) => event.key === "Escape" && this.#toNewest());
    // Of many streams only those are fetched that somebody could see.
    this.#watcher = new IntersectionObserver(([entry]) => {
      this.#inView = entry.isIntersecting;
      if (this.#inView && this.#late) this.#fetchNewest();
    });
    this.#watcher.observe(this.root);
  }

  /** The stream is gone. */
  close() {
    this.#watcher.disconnect();
    if (this.#own) URL.revokeObjectURL(this.#own);
  }

  /** A frame was seen at that stream time, the newest one. */
  seen(stream_s) {
    if (stream_s === this.#newest) return;
    this.#newest = stream_s;
    if (this.#following) this.#fetchNewest();
  }

  /** Pictures are kept of this stretch of stream time; of none where it is null. */
  reach(span) {
    this.slider.disabled = span === null;
    if (span === null) return;
    const following = this.#following;
    [this.slider.min, this.slider.max] = [span.from_s, span.to_s];
    // Arrow keys go on by a hundredth of what is there, but not by less than a second.
    this.slider.step = Math.max(1, Math.floor((span.to_s - span.from_s) / 100));
    if (following) this.slider.value = span.to_s;
    this.#name_value();
  }

  get #following() {
    return this.#shown === null;
  }

  #name_value() {
    this.slider.setAttribute("aria-valuetext", this.#following ? NEWEST : clock(Number(this.slider.value)));
  }

  #toNewest() {
    this.slider.value = this.slider.max;
    this.#moved();
  }

  #moved() {
    const [value, last, step] = [this.slider.value, this.slider.max, this.slider.step].map(Number);
    this.#shown = value > last - step ? null : value;
    this.#name_value();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#following ? this.#fetchNewest() : this.#fetchPast()), SETTLE_MS);
  }

  /** One at a time: a daemon that is busy is not asked for more. */
  async #fetchNewest() {
    this.#late = !this.#inView || this.#fetching;
    if (this.#late) return;
    this.#fetching = true;
    const address = await this.#pictures.fresh(`/v1/frames/${encodeURIComponent(this.#name)}/newest.jpg`);
    this.#fetching = false;
    if (!this.#following) return address && URL.revokeObjectURL(address);
    this.#put(address, NEWEST);
    if (this.#own) URL.revokeObjectURL(this.#own);
    this.#own = address;
    if (this.#late) this.#fetchNewest();
  }

  async #fetchPast() {
    const wanted = this.#shown;
    const address = await this.#pictures.at(`/v1/frames/${encodeURIComponent(this.#name)}?at=${wanted}`);
    if (wanted === this.#shown) this.#put(address, address ? `about ${clock(wanted)}` : `nothing kept at ${clock(wanted)}`);
  }

  #put(address, label) {
    if (address) this.#image.src = address;
    this.#image.hidden = this.root.disabled = !address;
    say(this.#label, address || !this.#following ? label : "no picture");
  }
}
