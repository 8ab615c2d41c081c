// The daemon's token: kept for this tab alone, and shown to the daemon in the two ways a web page can.

const KEY = "livevlm.token";

/** What was typed in, or null. */
export function token() {
  return sessionStorage.getItem(KEY);
}

export function keep(text) {
  sessionStorage.setItem(KEY, text);
}

export function drop() {
  sessionStorage.removeItem(KEY);
}

/** For requests. */
export function headers() {
  const given = token();
  return given === null ? {} : { Authorization: `Bearer ${given}` };
}

/** For the websocket, which cannot be given headers: a subprotocol of the token in base64url. */
export function protocols() {
  const given = token();
  if (given === null) return ["livevlm.v1"];
  const letters = String.fromCharCode(...new TextEncoder().encode(given));
  const safe = btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return ["livevlm.v1", `livevlm.bearer.${safe}`];
}
