// The connection to the daemon: opens itself again whenever it is lost, and matches answers to what was asked.

import { headers, protocols } from "./token.js";

const FIRST_MS = 400, LONGEST_MS = 8000, GROWTH = 1.7, PATIENCE_MS = 20000;

export class Link {
  #socket = null;
  #calls = new Map();
  #number = 0;
  #delay = FIRST_MS;
  #timer = 0;
  #opened = false;
  #hear;
  #changed;

  /** hear(event): any event of the daemon. changed(state, detail): connecting, open, stopping, waiting, locked, refused. */
  constructor({ hear, changed }) {
    this.#hear = hear;
    this.#changed = changed;
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  get open() {
    return this.#opened;
  }

  /** Connect, now; what there was is let go. */
  connect() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#leave();
    this.#changed("connecting");
    const url = new URL("/v1/realtime", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, protocols());
    this.#socket = socket;
    socket.addEventListener("message", (message) => this.#heard(socket, JSON.parse(message.data)));
    socket.addEventListener("close", () => this.#closed(socket));
  }

  /** Send an event; the promise is kept by the event that answers it, and broken by the error that does. */
  call(event) {
    const id = `page_${++this.#number}`;
    return new Promise((keep, fail) => {
      if (!this.#opened) return fail(new Error("there is no connection to the daemon"));
      // A connection that says nothing any more is as good as none, whatever the browser believes.
      const timer = setTimeout(() => this.#lost(this.#socket), PATIENCE_MS);
      this.#calls.set(id, { keep, fail, timer });
      this.#socket.send(JSON.stringify({ ...event, event_id: id }));
    });
  }

  #heard(socket, event) {
    if (socket !== this.#socket) return;
    if (event.type === "session.created") {
      this.#opened = true;
      this.#delay = FIRST_MS;
      this.#changed("open", event.session);
    }
    if (event.type === "session.going_away") this.#changed("stopping", event.reason);
    if (event.type === "error") {
      this.#settle(event.error.event_id, "fail", Object.assign(new Error(event.error.message), { code: event.error.code }));
    } else {
      this.#settle(event.client_event_id ?? event.response?.livevlm?.client_event_id, "keep", event);
    }
    this.#hear(event);
  }

  #settle(id, way, value) {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    clearTimeout(call.timer);
    call[way](value);
  }

  #closed(socket) {
    if (socket === this.#socket) this.#lost(socket);
  }

  async #lost(socket) {
    if (socket !== this.#socket) return;
    const refused = !this.#opened;
    this.#leave();
    // A browser does not say why a websocket was not let in; the same door tells it to a plain request.
    const reason = refused ? await whyNot() : null;
    if (this.#socket !== null || this.#timer) return;
    if (reason) return this.#changed(reason.state, reason.text);
    const wait = this.#delay * (0.8 + 0.4 * Math.random());
    this.#delay = Math.min(LONGEST_MS, this.#delay * GROWTH);
    this.#timer = setTimeout(() => this.connect(), wait);
    this.#changed("waiting", wait / 1000);
  }

  /** Somebody looks at the page again, or the network is back: do not wait out the delay. */
  #hurry() {
    if (!this.#timer) return;
    this.#delay = FIRST_MS;
    this.connect();
  }

  #leave() {
    const socket = this.#socket;
    this.#socket = null;
    this.#opened = false;
    socket?.close();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) {
      clearTimeout(call.timer);
      call.fail(new Error("the connection to the daemon was lost"));
    }
  }
}

async function whyNot() {
  try {
    const answer = await fetch("/v1/status", { headers: headers(), cache: "no-store" });
    if (answer.status === 401) return { state: "locked" };
    if (answer.status === 403) return { state: "refused", text: await answer.text() };
  } catch {
    // Nobody is there: the usual way of waiting is the right one.
  }
  return null;
}
