const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'long' })
const number = new Intl.NumberFormat()

export const formatDateTime = (iso: string): string => dateTime.format(new Date(iso))
export const formatDate = (iso: string): string => date.format(new Date(iso))
export const formatNumber = (value: number): string => number.format(value)

const rules = new Intl.PluralRules('en')

/** `1 product`, `1,200 products`. */
export const plural = (count: number, one: string, many: string): string => `${formatNumber(count)} ${rules.select(count) === 'one' ? one : many}`
