// Numbers and dates as the reader's locale writes them. Formatters are dear to make: one of each.

const locale = typeof navigator === 'undefined' ? undefined : navigator.languages[0];
const made = new Map<string, Intl.NumberFormat>();

function numbers(key: string, options: Intl.NumberFormatOptions, of = locale): Intl.NumberFormat {
  const id = `${of ?? ''}|${key}`;
  let format = made.get(id);
  if (!format) made.set(id, (format = new Intl.NumberFormat(of, options)));
  return format;
}

export const count = (n: number, of?: string): string => numbers('count', { maximumFractionDigits: 0 }, of).format(n);
export const number = (n: number, digits = 1, of?: string): string => numbers(`number${digits}`, { maximumFractionDigits: digits }, of).format(n);
export const compact = (n: number, of?: string): string => numbers('compact', { notation: 'compact', maximumFractionDigits: 1 }, of).format(n);
export const percent = (n: number, of?: string): string => numbers('percent', { style: 'percent', maximumFractionDigits: n < 0.1 ? 1 : 0 }, of).format(n);

const unit = (n: number, name: string, digits: number, of?: string): string =>
  numbers(`${name}${digits}`, { style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits }, of).format(n);

/** A duration in the two units that matter: 0.4 ms, 12 ms, 1.24 s, 2 min 5 s, 3 hr 4 min. */
export function duration(ms: number, of?: string): string {
  const size = Math.abs(ms);
  if (size < 10) return unit(ms, 'millisecond', size < 1 ? 2 : 1, of);
  if (size < 999.5) return unit(ms, 'millisecond', 0, of);
  if (size < 59_950) return unit(ms / 1000, 'second', size < 10_000 ? 2 : 1, of);
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return two(Math.trunc(seconds / 60), 'minute', seconds % 60, 'second', of);
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1440) return two(Math.trunc(minutes / 60), 'hour', minutes % 60, 'minute', of);
  const hours = Math.round(ms / 3_600_000);
  return two(Math.trunc(hours / 24), 'day', hours % 24, 'hour', of);
}

const two = (a: number, first: string, b: number, second: string, of?: string): string => (b === 0 ? unit(a, first, 0, of) : `${unit(a, first, 0, of)} ${unit(b, second, 0, of)}`);

const byteUnits = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
export function bytes(n: number, of?: string): string {
  let size = n;
  let step = 0;
  while (Math.abs(size) >= 1000 && step < byteUnits.length - 1) {
    size /= 1024;
    step++;
  }
  return unit(size, byteUnits[step]!, step > 0 && size < 10 ? 1 : 0, of);
}

/** Minor units: the currency says how many make one. */
export function money(minor: number, currency: string, of?: string): string {
  try {
    const format = numbers(`money${currency}`, { style: 'currency', currency }, of);
    return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
  } catch {
    return `${count(minor, of)} ${currency}`;
  }
}

const clockFormat = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
const shortClock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const minuteClock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const full = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'always', style: 'short' });

const at = (value: string | number): Date | null => {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
};

/** Hours to milliseconds. */
export const clock = (value: string | number): string => mapped(value, (d) => clockFormat.format(d));
export const seconds = (value: string | number): string => mapped(value, (d) => shortClock.format(d));
export const minutes = (value: string | number): string => mapped(value, (d) => minuteClock.format(d));
export const dateTime = (value: string | number): string => mapped(value, (d) => full.format(d));
/** Today the time of day, before that with the day. */
export const when = (value: string | number, now: number = Date.now()): string =>
  mapped(value, (d) => (new Date(now).toDateString() === d.toDateString() ? shortClock.format(d) : `${day.format(d)}, ${minuteClock.format(d)}`));

const mapped = (value: string | number, format: (date: Date) => string): string => {
  const date = at(value);
  return date ? format(date) : String(value);
};

/** "4 sec. ago", "in 2 min." */
export function ago(value: string | number, now: number): string {
  const date = at(value);
  if (!date) return String(value);
  const s = Math.round((date.getTime() - now) / 1000);
  const size = Math.abs(s);
  if (size < 60) return relative.format(s, 'second');
  if (size < 3600) return relative.format(Math.round(s / 60), 'minute');
  if (size < 86_400) return relative.format(Math.round(s / 3600), 'hour');
  return relative.format(Math.round(s / 86_400), 'day');
}

/** fooBar and FOO_BAR become foo bar. */
export const words = (text: string): string =>
  text
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
