// The middle of several measurements and how far they lie apart. Pure.

/** The middle of several values, and the least and greatest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws RangeError for no values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const [lower, upper] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (lower === undefined || upper === undefined) throw new RangeError('There is no middle of no values');
  return { median: (lower + upper) / 2, min: Math.min(...sorted), max: Math.max(...sorted) };
}

/** `12 (10-15)`: the median, and the range. */
export function formatSpread({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
}
