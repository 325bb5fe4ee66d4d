import { type FormEvent, useEffect, useRef, useState } from 'react'
import { inTurn, pause } from '../api/http'
import { ApiProblem, Unreachable, fieldErrors } from '../api/problem'
import { cardToken, methods, placeOrder as place, profile, testCards } from '../api/shop'
import type { PlaceOrderBody, User } from '../api/types'
import { totalOf } from '../lib/cart'
import { newKey, placeOrder, waitingOrder } from '../lib/checkout'
import { plural } from '../lib/format'
import { money } from '../lib/money'
import { navigate } from '../lib/router'
import { useResource } from '../lib/resource'
import { cart, useCart, useTitle } from '../lib/state'
import { Button, ButtonLink, Empty, Field, Loading, Notice, Select, Skeleton, Trouble } from '../ui/ui'
import styles from './checkout.module.css'
import totals from './cart.module.css'

const desk = { place, pause, newKey, alone: <T,>(work: () => Promise<T>) => inTurn('kontor-checkout', work) }
const noCard = new Set(['PAYPAL', 'BANK_TRANSFER'])
const outcomes: Record<string, string> = {
  card_declined: 'declined by the bank',
  processing_error: 'error at the processor',
  expired_card: 'expired',
}

export function Checkout({ user }: { user: User }) {
  useTitle('Checkout')
  const { lines } = useCart()
  const [busy, setBusy] = useState(false)
  const [attempt, setAttempt] = useState(0)
  const [error, setError] = useState<unknown>()
  const failure = useRef<HTMLDivElement>(null)
  const waiting = waitingOrder(cart, user.id)

  async function send(body: PlaceOrderBody): Promise<void> {
    setBusy(true)
    setError(undefined)
    try {
      const order = await placeOrder(cart, desk, user.id, body, setAttempt)
      navigate(`/orders/${order.id}`, { replace: true })
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
      setAttempt(0)
    }
  }

  // The page was loaded again while an order waited for its answer: the same order is asked for again.
  const resumed = useRef(waiting)
  useEffect(() => {
    if (resumed.current) void send(resumed.current.body)
    // Once, and not for what is sent from here.
  }, [])

  useEffect(() => {
    if (error) failure.current?.scrollIntoView({ block: 'center' })
  }, [error])

  if (waiting && (resumed.current || attempt > 0 || !busy))
    return (
      <div className={styles.waiting}>
        <h1 tabIndex={-1}>Your order is on its way to us</h1>
        <Notice kind="wait">
          <p>
            {busy
              ? attempt > 0
                ? `No answer yet. Trying again (${attempt} of 3)…`
                : 'Asking for the answer…'
              : 'It was sent, and no answer came back. Sending it again is safe: it stays one order.'}
          </p>
        </Notice>
        {Boolean(error) && !busy && <Trouble error={error} />}
        <Button busy={busy} onClick={() => void send(waiting.body)}>
          Send it again
        </Button>
      </div>
    )

  if (lines.length === 0)
    return (
      <Empty title="There is nothing to order">
        <p>Your cart is empty.</p>
        <ButtonLink to="/products">See all products</ButtonLink>
      </Empty>
    )

  return (
    <>
      <h1 tabIndex={-1}>Checkout</h1>
      <div className={totals.cart}>
        <Form user={user} busy={busy} error={error} onSend={send} onError={setError}>
          <div ref={failure}>{Boolean(error) && <Trouble error={error} />}</div>
        </Form>
        <section className={totals.total} aria-labelledby="sum">
          <h2 id="sum">{plural(lines.length, 'thing', 'things')}</h2>
          <ul className={styles.lines}>
            {lines.map((line) => (
              <li key={line.id}>
                <span>
                  {line.quantity} × {line.name}
                </span>
                <span>{money(line.priceMinor * line.quantity, line.currency)}</span>
              </li>
            ))}
          </ul>
          <p className={totals.amount}>{money(totalOf(lines), lines[0]!.currency)}</p>
          <p className={totals.unit}>With everything: tax and delivery.</p>
        </section>
      </div>
    </>
  )
}

interface FormProps {
  user: User
  busy: boolean
  error: unknown
  onSend: (body: PlaceOrderBody) => Promise<void>
  onError: (error: unknown) => void
  children: React.ReactNode
}

function Form({ user, busy, error, onSend, onError, children }: FormProps) {
  const me = useResource('profile', profile)
  const ways = useResource('methods', methods)
  const cards = useResource('test-cards', testCards)
  const { lines } = useCart()
  const known = me.data?.value.address
  const [own, setOwn] = useState(false)
  const [address, setAddress] = useState({ street: '', postcode: '', city: '', country: '' })
  const [method, setMethod] = useState('CREDIT_CARD')
  const [card, setCard] = useState({ number: '', expiry: '', cvc: '' })
  const [wrong, setWrong] = useState<Record<string, string>>({})
  const [asking, setAsking] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  // What somebody types must not give way to an address that comes later.
  const asked = me.data === undefined && me.error === undefined
  const typed = !asked && (own || !known)
  const withCard = !noCard.has(method)

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault()
    if (busy || asking || asked) return
    const found: Record<string, string> = {}
    if (typed) for (const [name, value] of Object.entries(address)) if (value.trim().length < 2) found[name] = 'Needed for the delivery'
    const expiry = /^\s*(\d{1,2})\s*\/\s*(\d{2}|\d{4})\s*$/.exec(card.expiry)
    if (withCard) {
      if (card.number.replace(/[\s-]/g, '').length < 12) found.number = 'The number on the front of the card'
      if (!expiry || Number(expiry[1]) < 1 || Number(expiry[1]) > 12) found.expiry = 'Month and year, like 09/29'
      if (!/^\d{3,4}$/.test(card.cvc.trim())) found.cvc = 'Three or four digits'
    }
    setWrong(found)
    if (Object.keys(found).length > 0) {
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus())
      return
    }

    setAsking(true)
    onError(undefined)
    try {
      // The number goes to the cashier alone and is kept nowhere; the order has what came back for it.
      const token = withCard
        ? (await cardToken({ number: card.number.replace(/[\s-]/g, ''), expMonth: Number(expiry![1]), expYear: Number(expiry![2]) + (expiry![2]!.length === 2 ? 2000 : 0), cvc: card.cvc.trim() })).token
        : undefined
      const whole = typed ? [`${user.firstName} ${user.lastName}`, address.street, `${address.postcode} ${address.city}`, address.country].map((p) => p.trim()).join(', ') : known
      await onSend({ items: lines.map((l) => ({ productId: l.id, quantity: l.quantity })), shippingAddress: whole, payment: { method, token } })
    } catch (problem) {
      if (problem instanceof ApiProblem || problem instanceof Unreachable) onError(problem)
      else throw problem
    } finally {
      setAsking(false)
    }
  }

  const part = (name: keyof typeof address, label: string, complete: string) => (
    <Field
      label={label}
      autoComplete={`shipping ${complete}`}
      value={address[name]}
      maxLength={80}
      wrong={wrong[name] ?? (name === 'street' ? fieldErrors(error, 'shippingAddress') : undefined)}
      onChange={(event) => setAddress({ ...address, [name]: event.target.value })}
    />
  )

  return (
    <form ref={form} className={styles.form} noValidate onSubmit={(event) => void submit(event)}>
      {children}
      <fieldset className={styles.part}>
        <legend>
          <h2>Where to</h2>
        </legend>
        {known && (
          <div className={styles.choice}>
            <label>
              <input type="radio" name="address" checked={!own} onChange={() => setOwn(false)} />
              <span>{known}</span>
            </label>
            <label>
              <input type="radio" name="address" checked={own} onChange={() => setOwn(true)} />
              <span>Another address</span>
            </label>
          </div>
        )}
        {asked && (
          <Loading>
            <Skeleton height="12rem" />
          </Loading>
        )}
        {typed && (
          <div className={styles.address}>
            {part('street', 'Street and number', 'street-address')}
            {part('postcode', 'Postcode', 'postal-code')}
            {part('city', 'City', 'address-level2')}
            {part('country', 'Country', 'country-name')}
          </div>
        )}
      </fieldset>

      <fieldset className={styles.part}>
        <legend>
          <h2>How you pay</h2>
        </legend>
        <Select label="Means of payment" value={method} onChange={setMethod} options={ways.data?.map((m) => [m.id, m.description] as const) ?? [['CREDIT_CARD', 'Credit card']]} />
        {withCard && (
          <>
            {cards.data && (
              <div className={styles.cards}>
                <p id="test-cards">This shop takes no real money. Its test cards:</p>
                <ul aria-labelledby="test-cards">
                  {cards.data.map((test) => (
                    <li key={test.number}>
                      <Button
                        look="quiet"
                        aria-pressed={card.number.replace(/\s/g, '') === test.number}
                        onClick={() => setCard({ number: test.number.replace(/(.{4})(?=.)/g, '$1 '), expiry: `12/${new Date().getFullYear() + 3}`, cvc: '123' })}
                      >
                        <span className={styles.digits}>…{test.number.slice(-4)}</span> {test.failureReason ? (outcomes[test.failureReason] ?? test.failureReason) : 'approved'}
                      </Button>
                    </li>
                  ))}
                </ul>
              </div>
            )}
            <div className={styles.card}>
              <Field
                label="Card number"
                inputMode="numeric"
                autoComplete="cc-number"
                value={card.number}
                maxLength={23}
                wrong={wrong.number ?? fieldErrors(error, 'card.number')}
                onChange={(event) => setCard({ ...card, number: event.target.value })}
              />
              <Field
                label="Good until"
                placeholder="MM/YY"
                autoComplete="cc-exp"
                value={card.expiry}
                maxLength={9}
                wrong={wrong.expiry ?? fieldErrors(error, 'card.expMonth') ?? fieldErrors(error, 'card.expYear')}
                onChange={(event) => setCard({ ...card, expiry: event.target.value })}
              />
              <Field
                label="Check digits"
                inputMode="numeric"
                autoComplete="cc-csc"
                value={card.cvc}
                maxLength={4}
                wrong={wrong.cvc ?? fieldErrors(error, 'card.cvc')}
                onChange={(event) => setCard({ ...card, cvc: event.target.value })}
              />
            </div>
          </>
        )}
      </fieldset>

      <Button type="submit" busy={busy || asking}>
        Place the order
      </Button>
    </form>
  )
}
