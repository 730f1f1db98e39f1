// Words: numbers and times as people read them. Pure.

const DIGITS = 3;

// 4.2, 42, 420: as many digits as say something.
function short(number) {
  if (number >= 99.95) return number.toFixed(0);
  return String(Number(number.toPrecision(DIGITS - (number < 10 ? 1 : 0))));
}

// Bits per second, given in bits: {number: "4.2", unit: "Mbit/s"}.
export function rateParts(bits) {
  const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
  let at = 0;
  while (bits >= 999.5 && at + 1 < units.length) {
    bits /= 1000;
    ++at;
  }
  return {number: at === 0 ? bits.toFixed(0) : short(bits), unit: units[at]};
}

export function rate(bits) {
  const {number, unit} = rateParts(bits);
  return `${number} ${unit}`;
}

export function percent(ratio) {
  const value = ratio * 100;
  return `${value > 0 && value < 9.95 ? Number(value.toFixed(1)) : value.toFixed(0)} %`;
}

// Seconds: "12 ms", "1.5 s".
export function delay(seconds) {
  return seconds < 1 ? `${short(seconds * 1000)} ms` : `${short(seconds)} s`;
}

// Seconds: "8 s", "3 min", "2 h 5 min", "4 days".
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

export function count(number) {
  return number.toLocaleString("en").replaceAll(",", "\u202f");
}

// A moment as the clock shows it, with the day unless it is that of `now`.
// Both are in seconds.
export function clock(moment, now) {
  const date = new Date(moment * 1000);
  const time = date.toLocaleTimeString("en-GB");
  if (date.toDateString() === new Date(now * 1000).toDateString()) return time;
  const day = date.toLocaleDateString("en-GB", {day: "numeric", month: "short"});
  return `${day}, ${time}`;
}

// "wan1", "wan1 and wan2", "wan1, wan2 and wan3".
export function list(names) {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function sentence(text) {
  if (!text) return "";
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
