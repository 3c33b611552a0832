// Durations and times of the operations page in words.

import { number } from "./words.js";

/** Return a duration that is given in milliseconds, such as "0.4 ms" or "1.2 s". */
export function milliseconds(value) {
  return value >= 1000 ? `${number(value / 1000)} s` : `${number(value)} ms`;
}

/** Return a duration that is given in seconds, such as "40 s" or "3 hours". */
export function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} minutes`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} hours`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** Return the time of day of a number of milliseconds since 1970. */
export function timeOfDay(time) {
  return new Date(time).toLocaleTimeString(undefined, { hour12: false });
}
