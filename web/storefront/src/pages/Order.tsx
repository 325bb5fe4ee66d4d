import { useEffect, useRef, useState } from 'react'
import { follow } from '../api/events'
import { fieldErrors } from '../api/problem'
import { cancelOrder, eventsOf, order as load, paymentsOf, refund } from '../api/shop'
import { declineText } from '../api/problem'
import type { Order as OrderOf, Payment, StatusChange } from '../api/types'
import { newKey } from '../lib/checkout'
import { formatDateTime } from '../lib/format'
import { digitsOf, money, parseMoney } from '../lib/money'
import { Link, focusHeading, navigate } from '../lib/router'
import { useResource } from '../lib/resource'
import { cart, tell, useTitle } from '../lib/state'
import { useSubmit } from '../lib/submit'
import { Button, Dialog, Field, Hidden, Loading, Notice, Row, Skeleton, Status, Trouble, statusNames } from '../ui/ui'
import { Failed } from './Gate'
import styles from './order.module.css'

const steps = ['PENDING', 'CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED']
const ended = new Set(['DELIVERED', 'CANCELLED'])
const cancellable = new Set(['PENDING', 'CONFIRMED', 'PROCESSING'])

const reasons: Record<string, string> = {
  OUT_OF_STOCK: 'There was not enough on our shelf. Nothing was charged.',
  PAYMENT_DECLINED: 'The payment was declined. Nothing was charged, and the things are back on the shelf.',
  APPROVAL_REJECTED: 'We looked at this order and could not accept it. Nothing was charged.',
  APPROVAL_TIMEOUT: 'Nobody got to look at this large order in time. Nothing was charged; please order again.',
  CANCELLED_BY_CUSTOMER: 'You cancelled this order. What was paid goes back the way it came.',
  INVALID_ORDER: 'Something in this order was not possible. Nothing was charged.',
  STEP_FAILED: 'Something failed on our side. What was paid goes back the way it came.',
  COMPENSATION_FAILED: 'Something failed on our side, and we are looking at it by hand. You will get back what you paid.',
}

export function Order({ id }: { id: string }) {
  const found = useResource(`order ${id}`, (signal) => load(id, signal))
  const [live, setLive] = useState(true)
  const [said, setSaid] = useState('')
  const order = found.data
  useTitle(order ? `Order no. ${order.number}` : 'Order')

  const { reload } = found
  const over = order !== undefined && ended.has(order.status)
  const known = order !== undefined
  // The number of changes that were seen when the page began to listen: what is told again is nothing new.
  const seen = useRef(0)
  seen.current = Math.max(seen.current, order?.history.length ?? 0)

  useEffect(() => {
    if (!known || over) return
    let abort: AbortController | undefined
    let last = ''
    const listen = () => {
      // A browser has few connections to one origin: a tab that nobody looks at holds none, and goes on where it was.
      abort?.abort()
      if (document.hidden) return
      abort = new AbortController()
      follow(
        eventsOf(id),
        (event) => {
          last = event.id
          if (event.type !== 'status') return false
          const change = JSON.parse(event.data) as StatusChange
          if (Number(event.id) > seen.current) {
            seen.current = Number(event.id)
            setSaid(`The order is ${(statusNames[change.status] ?? change.status).toLowerCase()}.`)
            reload()
          }
          return ended.has(change.status)
        },
        setLive,
        abort.signal,
        last,
      ).catch(() => setLive(false))
    }
    listen()
    document.addEventListener('visibilitychange', listen)
    return () => {
      document.removeEventListener('visibilitychange', listen)
      abort?.abort()
    }
  }, [id, known, over, reload])

  if (!order && found.error) return <Failed error={found.error} onRetry={found.reload} missing="There is no such order in your account" />
  if (!order)
    return (
      <Loading>
        <div className={styles.order}>
          <Skeleton height="3.2rem" width="min(18rem, 80%)" />
          <Skeleton height="7rem" />
          <Skeleton height="12rem" />
        </div>
      </Loading>
    )

  return (
    <div className={styles.order}>
      <header className={styles.head}>
        <div>
          <h1 tabIndex={-1}>Order no. {order.number}</h1>
          <p className={styles.soft}>
            {formatDateTime(order.createdAt)} · <span className={styles.code}>{order.id}</span>
          </p>
        </div>
        <Status status={order.status} />
      </header>
      <Hidden live>{said}</Hidden>
      {!live && !over && (
        <Notice kind="wait">
          <p>The connection is gone for the moment. The page goes on by itself when it is back.</p>
        </Notice>
      )}
      <Progress order={order} />
      <div className={styles.columns}>
        <section className={styles.slip} aria-labelledby="things">
          <h2 id="things">What you ordered</h2>
          <ul>
            {order.items.map((item) => (
              <li key={item.productId}>
                <span>
                  {item.quantity} × <Link to={`/products/${encodeURIComponent(item.productId)}`}>{item.name}</Link>
                </span>
                <span>{money(item.lineTotalMinor, order.currency)}</span>
              </li>
            ))}
          </ul>
          <p className={styles.total}>
            <span>Total</span>
            <span>{money(order.totalMinor, order.currency)}</span>
          </p>
          {order.refundedMinor > 0 && (
            <p className={styles.back}>
              <span>Given back</span>
              <span>−{money(order.refundedMinor, order.currency)}</span>
            </p>
          )}
          <p className={styles.soft}>To {order.shippingAddress}</p>
        </section>
        <Actions order={order} onChange={found.reload} />
      </div>
    </div>
  )
}

function Progress({ order }: { order: OrderOf }) {
  const at = new Map(order.history.map((change) => [change.status, change.at]))
  if (order.status === 'CANCELLED')
    return (
      <Notice kind="problem">
        <p>
          <strong>Cancelled.</strong> {reasons[order.reason ?? ''] ?? 'This order was cancelled.'}
        </p>
        <Button
          look="quiet"
          onClick={() => {
            for (const item of order.items) cart.add({ id: item.productId, name: item.name, priceMinor: item.unitPriceMinor, currency: order.currency }, item.quantity)
            navigate('/cart')
          }}
        >
          Put everything in the cart again
        </Button>
      </Notice>
    )
  const reached = steps.indexOf(order.status)
  return (
    <ol className={styles.steps} aria-label="Progress of the order">
      {steps.map((step, i) => (
        <li key={step} data-done={i <= reached || undefined} aria-current={i === reached ? 'step' : undefined}>
          <span>{step === 'PENDING' && reached > 0 ? 'Checked' : statusNames[step]}</span>
          {at.has(step) && <time dateTime={at.get(step)}>{formatDateTime(at.get(step)!)}</time>}
        </li>
      ))}
    </ol>
  )
}

function Actions({ order, onChange }: { order: OrderOf; onChange: () => void }) {
  const payments = useResource(`payments ${order.id} ${order.status} ${order.refundedMinor} ${order.paymentId ?? ''}`, (signal) => paymentsOf(order.id, signal))
  const [asking, setAsking] = useState<'cancel' | Payment | null>(null)
  // The buttons go when the order has changed: who had one of them under the finger goes on at the top.
  const acted = useRef(false)
  useEffect(() => {
    if (!acted.current || document.activeElement !== document.body) return
    acted.current = false
    focusHeading()
  })
  const done = () => {
    acted.current = true
    onChange()
  }
  return (
    <section className={styles.side} aria-labelledby="payment">
      <h2 id="payment">Payment</h2>
      {!payments.data ? (
        payments.error ? (
          <Trouble error={payments.error} onRetry={payments.reload} />
        ) : (
          <Skeleton height="4rem" />
        )
      ) : payments.data.length === 0 ? (
        <p className={styles.soft}>{order.status === 'PENDING' ? 'Not charged yet.' : 'Nothing was charged.'}</p>
      ) : (
        payments.data.map((payment) => (
          <div key={payment.id} className={styles.payment}>
            <p>
              <strong>{money(payment.amountMinor, payment.currency)}</strong> {payment.cardLast4 ? `card …${payment.cardLast4}` : payment.method.toLowerCase().replace('_', ' ')}
            </p>
            <Status status={payment.status} />
            {payment.failureReason && <p className={styles.soft}>{declineText(payment.failureReason)}</p>}
            {payment.refunds.map((given) => (
              <p key={given.id} className={styles.soft}>
                {money(given.amountMinor, payment.currency)} back, {given.status === 'COMPLETED' ? 'done' : given.status === 'FAILED' ? 'failed' : 'on its way'} ({formatDateTime(given.createdAt)})
              </p>
            ))}
            {payment.status === 'COMPLETED' && order.status !== 'CANCELLED' && payment.refundedMinor < payment.amountMinor && (
              <Button look="quiet" onClick={() => setAsking(payment)}>
                Ask for money back
              </Button>
            )}
          </div>
        ))
      )}
      {cancellable.has(order.status) && (
        <Button look="danger" onClick={() => setAsking('cancel')}>
          Cancel the order
        </Button>
      )}
      {asking === 'cancel' && <Cancel order={order} onClose={() => setAsking(null)} onDone={done} />}
      {asking !== null && asking !== 'cancel' && (
        <GiveBack
          payment={asking}
          onClose={() => setAsking(null)}
          onDone={() => {
            payments.reload()
            done()
          }}
        />
      )}
    </section>
  )
}

function Cancel({ order, onClose, onDone }: { order: OrderOf; onClose: () => void; onDone: () => void }) {
  const [reason, setReason] = useState('')
  const { busy, error, submit } = useSubmit(async () => {
    await cancelOrder(order.id, reason.trim())
    tell('The cancellation is under way.')
    onDone()
    onClose()
  })
  return (
    <Dialog title="Cancel the order?" onClose={onClose} onSubmit={() => void submit()}>
      <p>What was paid goes back the way it came. This cannot be taken back.</p>
      {Boolean(error) && <Trouble error={error} />}
      <Field label="Why, if you like" value={reason} maxLength={200} wrong={fieldErrors(error, 'reason')} onChange={(event) => setReason(event.target.value)} />
      <Row>
        <Button type="submit" look="danger" busy={busy}>
          Cancel the order
        </Button>
        <Button look="plain" onClick={onClose}>
          Keep it
        </Button>
      </Row>
    </Dialog>
  )
}

function GiveBack({ payment, onClose, onDone }: { payment: Payment; onClose: () => void; onDone: () => void }) {
  const left = payment.amountMinor - payment.refundedMinor
  const digits = digitsOf(payment.currency)
  const [amount, setAmount] = useState(() => (digits === 0 ? String(left) : `${String(left).padStart(digits + 1, '0').slice(0, -digits)}.${String(left).padStart(digits + 1, '0').slice(-digits)}`))
  const [reason, setReason] = useState('')
  const [wrong, setWrong] = useState('')
  // The same key until what is asked for changes, so that a second attempt gives back nothing twice.
  const key = useRef({ of: '', value: '' })
  const { busy, error, submit } = useSubmit(async () => {
    const minor = parseMoney(amount, payment.currency)
    if (minor === null || minor < 1) return setWrong('An amount, like 12.50')
    if (minor > left) return setWrong(`At most ${money(left, payment.currency)}`)
    setWrong('')
    const of = `${minor} ${reason.trim()}`
    if (key.current.of !== of) key.current = { of, value: newKey() }
    await refund(payment.id, { amountMinor: minor, reason: reason.trim() || undefined }, key.current.value)
    tell('The money is on its way back to you.')
    onDone()
    onClose()
  })
  return (
    <Dialog title="Ask for money back" onClose={onClose} onSubmit={() => void submit()}>
      <p>{money(left, payment.currency)} of this payment can go back.</p>
      {Boolean(error) && <Trouble error={error} />}
      <Field label={`Amount in ${payment.currency}`} inputMode="decimal" value={amount} maxLength={16} wrong={wrong || fieldErrors(error, 'amountMinor')} onChange={(event) => setAmount(event.target.value)} />
      <Field label="Why, if you like" value={reason} maxLength={200} wrong={fieldErrors(error, 'reason')} onChange={(event) => setReason(event.target.value)} />
      <Row>
        <Button type="submit" busy={busy}>
          Ask for it
        </Button>
        <Button look="plain" onClick={onClose}>
          Leave it
        </Button>
      </Row>
    </Dialog>
  )
}
