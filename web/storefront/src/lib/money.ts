const formats = new Map<string, Intl.NumberFormat>()

function formatOf(currency: string, locale?: string): Intl.NumberFormat {
  const key = `${locale ?? ''} ${currency}`
  let format = formats.get(key)
  if (!format) formats.set(key, (format = new Intl.NumberFormat(locale, { style: 'currency', currency })))
  return format
}

/** How many digits of the minor unit a currency has: 2 for USD, 0 for JPY, 3 for KWD. */
export const digitsOf = (currency: string): number => formatOf(currency).resolvedOptions().maximumFractionDigits ?? 2

/** An amount in integer minor units as people read it. It is formatted from its digits: no floating point is involved. */
export function money(minor: number, currency: string, locale?: string): string {
  const digits = digitsOf(currency)
  const text = String(Math.abs(minor)).padStart(digits + 1, '0')
  const decimal = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
  // A text is formatted exactly by Intl.NumberFormat version 3; its types know numbers only.
  return formatOf(currency, locale).format(`${minor < 0 ? '-' : ''}${decimal}` as unknown as number)
}

/** What somebody types, like 12.50 or 12,50, in minor units; null when it is no amount of that currency. */
export function parseMoney(text: string, currency: string): number | null {
  const digits = digitsOf(currency)
  const match = /^\s*(\d{1,12})(?:[.,](\d*))?\s*$/.exec(text)
  if (!match) return null
  const fraction = match[2] ?? ''
  if (fraction.length > digits) return null
  const minor = Number(match[1] + fraction.padEnd(digits, '0'))
  return Number.isSafeInteger(minor) ? minor : null
}
