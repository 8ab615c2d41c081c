// One session with the daemon, whichever connection carries it: what was asked and not answered, what was heard, and how to go on.

import { Refusal } from "./refusal.js";

const WISH = "resume";

export class Session {
  #calls = new Map();
  #unread = []; // what the daemon is not known to have read, oldest first
  #read; // how many events came before these
  #number = 0;
  #seq;
  #token;
  #keptMs;
  #until = null;
  #leaving = false;

  /** created: its `session.created`. read: how many events the daemon has read in it already. */
  constructor(created, read = 0) {
    this.#seq = created.seq;
    this.#read = read;
    this.#renew(created.session);
  }

  /** An event to be sent, as text, and the promise of what answers it: kept by that event, broken by the error. */
  call(event) {
    const id = `page_${++this.#number}`;
    const text = JSON.stringify({ ...event, event_id: id });
    this.#unread.push({ id, text });
    return { text, answer: new Promise((keep, fail) => this.#calls.set(id, { keep, fail })) };
  }

  /** An event came. False where it was heard before the connection was lost. */
  heard(event) {
    if (event.seq <= this.#seq) return false;
    this.#seq = event.seq;
    if (event.type === "session.going_away") this.#leaving = true;
    if (event.type === "error") this.#settle(event.error.event_id, "fail", new Refusal(event.error));
    else this.#settle(event.client_event_id ?? event.response?.livevlm?.client_event_id, "keep", event);
    return true;
  }

  /** The connection was lost, at that moment in milliseconds. */
  lost(now) {
    this.#until ??= now + this.#keptMs;
  }

  /** Whether the daemon does not keep it any more, its connection being lost. */
  gone(now) {
    return this.#leaving || !this.#token || now >= this.#until;
  }

  /** What to say first on a new connection. */
  wish() {
    return JSON.stringify({ type: "session.resume", event_id: WISH, token: this.#token, last_seq: this.#seq });
  }

  /** Whether an event of the new connection is the daemon's refusal of the wish. */
  refused(event) {
    return event.type === "error" && event.error.event_id === WISH;
  }

  /** event: a `session.resumed`. Gives back the texts that were lost on their way to the daemon. */
  resumed({ session, received }) {
    this.#forget(received - this.#read);
    this.#renew(session);
    this.#until = null;
    return this.#unread.map(({ text }) => text);
  }

  /** Nothing more will be answered. */
  end() {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.fail(new Error("The connection was lost before the daemon had answered. See whether it was done, and try again."));
  }

  #renew(session) {
    const { token = null, for_s: kept = 0 } = session.livevlm.resume ?? {};
    this.#token = token;
    this.#keptMs = 1000 * kept;
  }

  #settle(id, way, value) {
    // What is answered was read, and so was all that had been sent before it.
    this.#forget(this.#unread.findIndex((one) => one.id === id) + 1);
    this.#calls.get(id)?.[way](value);
    this.#calls.delete(id);
  }

  #forget(count) {
    this.#unread.splice(0, count);
    this.#read += count;
  }
}
