// Numbers, sizes and durations in words, written as in the server's own messages.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** Return a number with three significant digits at most, and thousands separated: "4,211". */
export function number(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

/** Return a number with its noun, such as "1 event" or "4,211 events". */
export function counted(value, noun) {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Return a number of bytes, such as "3.4 MiB". */
export function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? counted(value, "byte") : `${number(value)} ${UNITS[unit]}`;
}

/** Return a duration in its two largest units, such as "35 ms" or "3 min 5 s". */
export function duration(seconds) {
  if (seconds > 0 && seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds > 0 && seconds < 10) return `${number(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(whole / unit));
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return `${minutes} min ${whole % 60} s`;
  if (whole < 86_400) return `${hours} h ${minutes % 60} min`;
  return `${days} d ${hours % 24} h`;
}

/** Return a text, cut to a number of characters. A text that was cut ends with an ellipsis. */
export function shortened(text, characters) {
  return text.length > characters ? `${text.slice(0, characters)}…` : text;
}
