// The states, times and errors of tasks in words.

import { duration } from "./words.js";

export const STATES = {
  pending: "Waiting",
  running: "Running",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** Return the time left in words; nothing if it is unknown. */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return `about ${Math.max(Math.round(seconds), 1)} s left`;
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${Math.round(seconds / 3600)} h left`;
}

/** Return a time as people here write it, with the date unless it is today. */
export function localTime(text) {
  const time = new Date(text);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday ? time.toLocaleTimeString() : time.toLocaleString();
}

/** Return what is wrong with a request, and what to do. */
export function inWords(error) {
  const message = /[.!?…]$/.test(error.message) ? error.message : `${error.message}.`;
  return error.retryAfter > 0 ? `${message} Try again in ${duration(error.retryAfter)}.` : message;
}
