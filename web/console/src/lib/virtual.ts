// Browsers do not lay out elements of any height: beyond this the scroll bar stands for more than its pixels.
export const maxHeight = 12_000_000;

export interface Window {
  /** Height of the scrolled element. */
  height: number;
  /** First row drawn, and the one behind the last. */
  from: number;
  to: number;
  /** Where the first drawn row stands in the scrolled element. */
  top: number;
  /** First row in sight, and the one behind the last. */
  firstVisible: number;
  lastVisible: number;
}

export interface List {
  count: number;
  rowHeight: number;
  viewport: number;
  overscan: number;
}

/** Which rows are to be drawn where, at this position of the scroll bar. */
export function visible(list: List, scrollTop: number): Window {
  const { count, rowHeight, viewport, overscan } = list;
  const whole = count * rowHeight;
  const height = Math.min(whole, maxHeight);
  const scroll = Math.max(0, Math.min(scrollTop, Math.max(0, height - viewport)));
  // With a scaled bar the rows move faster than the bar; at both ends they agree.
  const offset = whole <= maxHeight || height <= viewport ? scroll : (scroll / (height - viewport)) * (whole - viewport);
  const first = Math.floor(offset / rowHeight);
  const last = Math.min(count, Math.ceil((offset + viewport) / rowHeight));
  const from = Math.max(0, first - overscan);
  return { height, from, to: Math.min(count, last + overscan), top: scroll - (offset - from * rowHeight), firstVisible: Math.min(first, count), lastVisible: last };
}

/** Where the bar has to be for this row to be in sight; where it is when it is already. */
export function scrollTo(list: List, scrollTop: number, row: number): number {
  const { count, rowHeight, viewport } = list;
  const whole = count * rowHeight;
  const height = Math.min(whole, maxHeight);
  const ratio = whole <= maxHeight || height <= viewport ? 1 : (height - viewport) / (whole - viewport);
  const offset = scrollTop / ratio;
  const top = row * rowHeight;
  if (top < offset) return top * ratio;
  if (top + rowHeight > offset + viewport) return (top + rowHeight - viewport) * ratio;
  return scrollTop;
}
