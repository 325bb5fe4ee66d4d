/** The gateway answered with a problem (RFC 9457). */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  readonly detail: string
  /** Messages by field, as it was sent: `items[0].quantity`. */
  readonly errors: Readonly<Record<string, readonly string[]>>
  readonly members: Readonly<Record<string, unknown>>
  /** Seconds, where the answer said when to ask again. */
  readonly retryAfter?: number

  constructor(status: number, body: Record<string, unknown>, retryAfter?: number) {
    const code = typeof body.code === 'string' ? body.code : codeOf(body.type, status)
    super(`${status} ${code}`)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
    this.detail = typeof body.detail === 'string' ? body.detail : ''
    this.errors = (body.errors as Record<string, string[]> | undefined) ?? {}
    this.members = body
    this.retryAfter = retryAfter
  }

  /** Whether the request was looked at and decided: asking again the same would be answered the same. */
  get isFinal(): boolean {
    return this.status < 500 && this.status !== 401 && this.status !== 408 && this.status !== 425 && this.status !== 429
  }
}

/** No answer came: nobody here knows whether the request arrived. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('unreachable', { cause })
    this.name = 'Unreachable'
  }
}

const codeOf = (type: unknown, status: number): string =>
  typeof type === 'string' && type.startsWith('urn:problem:') ? type.slice('urn:problem:'.length) : `http-${status}`

type Text = string | ((problem: ApiProblem) => string)

const declined: Record<string, string> = {
  card_declined: 'Your bank declined the card. Try another card.',
  insufficient_funds: 'The card does not have enough funds. Try another card.',
  expired_card: 'The card has expired. Try another card.',
  processing_error: 'The card processor had an error. Try again, or use another card.',
}

/** Why a payment failed, by the reason that the processor gave. */
export const declineText = (reason: unknown): string => declined[String(reason)] ?? 'The payment was declined. Try another card.'

const texts: Record<string, Text> = {
  'account-locked': (p) => `Too many failed attempts. Try again in ${minutes(p.retryAfter ?? 900)}.`,
  'approval-not-pending': 'This order is not waiting for approval any more.',
  'already-delivered': 'This was already delivered.',
  'bad-gateway': 'One of our services gave no proper answer. Try again in a moment.',
  'body-too-large': 'That is too much for one order. Take out a few things and try again.',
  'email-taken': 'There is already an account with this e-mail address. Sign in instead, or use another address.',
  'etag-mismatch': 'This was changed somewhere else in the meantime. Look at the newest version, then save again.',
  forbidden: 'Your account may not do this.',
  'foreign-origin': 'This page may not use your session. Open the shop by its own address.',
  'http-404': 'This does not exist, or not any more.',
  'idempotency-key-reused': 'This attempt was already used for another order. Check your cart and place the order again.',
  'illegal-transition': 'The order cannot go to that state any more.',
  'internal-error': 'Something went wrong on our side. Try again in a moment.',
  'invalid-credentials': 'The e-mail address or the password is not right.',
  'invalid-refresh-token': 'Your session has ended. Sign in again.',
  'malformed-json': 'The shop sent something that could not be read. Reload the page and try again.',
  'method-not-allowed': 'That is not possible here.',
  'mixed-currencies': 'The cart has prices in different currencies. Order them one currency at a time.',
  'not-found': 'This does not exist, or not any more.',
  'order-not-cancellable': 'This order is already shipped, delivered or cancelled, so it can no longer be cancelled.',
  'order-not-found': 'There is no such order in your account.',
  'order-not-payable': 'This order cannot be paid any more.',
  'payment-amount-mismatch': 'The amount does not match the order.',
  'payment-declined': (p) => declineText(p.members.failureReason),
  'payment-not-found': 'There is no such payment in your account.',
  'payment-not-refundable': 'This payment cannot be refunded.',
  'precondition-required': 'The newest version has to be read before it is changed. Reload the page.',
  'product-not-found': 'This product does not exist, or not any more.',
  'refund-exceeds-payment': 'That is more than is left of the payment.',
  'refund-refused': 'The refund was refused by the processor.',
  'service-not-found': 'One of our services is away. Try again in a moment.',
  'too-many-requests': (p) => `That was too quick for us. Try again in ${p.retryAfter === undefined || p.retryAfter <= 1 ? 'a second' : `${p.retryAfter} seconds`}.`,
  'too-many-webhooks': 'There are too many webhooks already.',
  unauthorized: 'Your session has ended. Sign in again.',
  unavailable: 'One of our services is away for a moment. Try again.',
  'unknown-product': 'Something in your cart is not sold any more. Take it out and try again.',
  'unsupported-media-type': 'The shop sent something that could not be read. Reload the page and try again.',
  'user-not-found': 'This account does not exist any more.',
  validation: (p) => (Object.keys(p.errors).length > 0 ? 'Check what is marked below.' : p.detail || 'Something in the form is not valid.'),
  'webhook-not-active': 'The webhook is switched off.',
  'webhook-not-found': 'There is no such webhook.',
  'delivery-not-found': 'There is no such delivery.',
}

export const knownCodes: ReadonlySet<string> = new Set(Object.keys(texts))

/** What a person is told. */
export function messageOf(error: unknown): string {
  if (error instanceof Unreachable) return 'The shop cannot be reached. Check your connection and try again.'
  if (!(error instanceof ApiProblem)) return 'Something went wrong in this page. Reload it and try again.'
  const text = texts[error.code] ?? byStatus(error)
  return typeof text === 'string' ? text : text(error)
}

function byStatus(problem: ApiProblem): string {
  if (problem.status === 401) return 'Your session has ended. Sign in again.'
  if (problem.status === 403) return 'Your account may not do this.'
  if (problem.status === 404) return 'This does not exist, or not any more.'
  if (problem.status === 429) return 'That was too quick for us. Wait a moment and try again.'
  if (problem.status >= 500) return 'Something went wrong on our side. Try again in a moment.'
  return problem.detail || 'The request was refused.'
}

/** The messages of one field; for a form of one level, whatever is below it counts too. */
export function fieldErrors(error: unknown, field: string): string | undefined {
  if (!(error instanceof ApiProblem)) return undefined
  const found = Object.entries(error.errors).find(([name]) => name.toLowerCase() === field.toLowerCase() || name.toLowerCase().startsWith(field.toLowerCase() + '.'))
  return found?.[1][0]
}

function minutes(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} seconds`
  return `${Math.round(seconds / 60)} minutes`
}
