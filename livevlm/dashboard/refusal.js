// What the daemon refuses, in words that say what to do.

import { timeOfDay } from "./words.js";

const WORDS = {
  rate_limited: (wait) => `This page asks for more than the daemon allows one client. It listens again at ${timeOfDay(Date.now() + wait)}: try again then.`,
  queue_full: () => "As many questions wait already as may. Try again when one of them has been answered, or cancel one of yours.",
  going_away: () => "The daemon is stopping and begins nothing new. Try again when it is back: this page connects to it by itself.",
};

export class Refusal extends Error {
  /** error: of an `error` event, just come. waitMs: how long the daemon listens to nothing more. */
  constructor({ code, message, retry_after_ms: waitMs = 0 }) {
    super(WORDS[code]?.(waitMs) ?? message);
    this.waitMs = waitMs;
  }
}
