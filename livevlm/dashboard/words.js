// Numbers as people read them.

/** Seconds of stream time as a clock: 0:07, 12:31, 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A stretch of stream time; one clock where both ends read the same. */
export function stretch(from, to) {
  const [begin, end] = [clock(from), clock(to)];
  return begin === end ? begin : `${begin}–${end}`;
}

/** A duration in its largest unit: 0.4 s, 12 s, 5 min, 3.2 h. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} days`;
}

/** A count with its thousands apart. */
export function count(number) {
  return number.toLocaleString("en").replaceAll(",", "\u2009");
}

/** Bytes in binary units. */
export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; number >= 1024 && unit < units.length - 1; unit++) number /= 1024;
  return `${unit && number < 100 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

/** A share as a percentage. */
export function percent(share) {
  return share < 0.0995 ? `${(100 * share).toFixed(1)} %` : `${Math.round(100 * share)} %`;
}

/** A moment of arrival in the reader's own time zone. */
export function moment(utc) {
  return new Date(utc).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** A moment in milliseconds as the time of day, to the second in which it has come for sure. */
export function timeOfDay(at) {
  return new Date(1000 * Math.ceil(at / 1000)).toLocaleTimeString(undefined, { timeStyle: "medium" });
}

export const TIERS = { short: "short-term", long: "long-term", archive: "archive" };
