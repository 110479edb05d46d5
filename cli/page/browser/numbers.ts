/** Numbers as text, the same in every locale. */

/** 1234567 -> `1,234,567`. */
export function grouped(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** Microseconds -> `1.234567 s`. */
export function secondsText(micros: number): string {
  return `${(micros / 1e6).toFixed(6)} s`;
}

/** Microseconds -> `250 us`, `1.5 ms`, `12 s`. */
export function span(micros: number): string {
  const size = Math.abs(micros);
  if (size < 1_000) return `${micros} us`;
  if (size < 1_000_000) return `${trimmed(micros / 1_000)} ms`;
  return `${trimmed(micros / 1_000_000)} s`;
}

function trimmed(value: number): string {
  return value.toFixed(value < 10 && value > -10 ? 2 : 1).replace(/\.?0+$/, '');
}
