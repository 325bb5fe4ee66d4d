import { useEffect } from 'react'
import { checkStock, product as load } from '../api/shop'
import { ApiProblem } from '../api/problem'
import { totalOf } from '../lib/cart'
import { money } from '../lib/money'
import { Link, focusHeading } from '../lib/router'
import { useResource } from '../lib/resource'
import { cart, tell, useCart, useTitle } from '../lib/state'
import { Art } from '../ui/Art'
import { Button, ButtonLink, Empty, Notice, Quantity, Trouble } from '../ui/ui'
import styles from './cart.module.css'

/** What is in the cart as it is now: gone products are null. */
async function current(ids: readonly string[], signal: AbortSignal) {
  return await Promise.all(
    ids.map(async (id) => {
      try {
        return await load(id, signal)
      } catch (error) {
        if (error instanceof ApiProblem && error.status === 404) return null
        throw error
      }
    }),
  )
}

export function Cart() {
  useTitle('Cart')
  const { lines, pending } = useCart()
  const ids = lines.map(({ id }) => id)
  const now = useResource(ids.length > 0 ? `cart ${ids.join(' ')}` : null, (signal) => current(ids, signal))
  const stock = useResource(ids.length > 0 ? `stock ${lines.map((l) => `${l.id}:${l.quantity}`).join(' ')}` : null, (signal) =>
    checkStock(lines.map((l) => ({ productId: l.id, quantity: l.quantity })), signal),
  )

  useEffect(() => {
    if (now.data) cart.reprice(now.data.flatMap((p) => (p ? [{ id: p.id, name: p.name, priceMinor: p.priceMinor, currency: p.currency }] : [])))
  }, [now.data])

  if (lines.length === 0)
    return (
      <Empty title="Your cart is empty">
        {pending ? (
          <>
            <p>An order of yours is still waiting for its answer.</p>
            <ButtonLink to="/checkout">See to it</ButtonLink>
          </>
        ) : (
          <>
            <p>What you put in stays in, also when you close this page.</p>
            <ButtonLink to="/products">See all products</ButtonLink>
          </>
        )}
      </Empty>
    )

  const gone = new Set(now.data?.flatMap((product, i) => (product ? [] : [ids[i]!])))
  const short = new Map(stock.data?.items.filter((i) => !i.sufficient).map((i) => [i.productId, i.available]))
  const currency = lines[0]!.currency
  // The cart stays as it was seen last; the order is checked again anyway.
  const trouble = now.error ?? stock.error

  return (
    <>
      <h1 tabIndex={-1}>Cart</h1>
      {trouble !== undefined && (
        <Trouble
          error={trouble}
          onRetry={() => {
            now.reload()
            stock.reload()
          }}
        />
      )}
      <div className={styles.cart}>
        <ul className={styles.lines}>
          {lines.map((line) => (
            <li key={line.id} className={styles.line}>
              <Art id={line.id} name={line.name} />
              <div className={styles.about}>
                <h2>
                  <Link to={`/products/${encodeURIComponent(line.id)}`}>{line.name}</Link>
                </h2>
                <p className={styles.unit}>{money(line.priceMinor, line.currency)} each</p>
                {gone.has(line.id) && <p className={styles.short}>Not sold any more. Take it out to order the rest.</p>}
                {short.has(line.id) && !gone.has(line.id) && <p className={styles.short}>{short.get(line.id)! > 0 ? `Only ${short.get(line.id)} left` : 'Sold out'}</p>}
                <div className={styles.tools}>
                  <Quantity value={line.quantity} name={line.name} onChange={(quantity) => cart.setQuantity(line.id, quantity)} />
                  <Button
                    look="plain"
                    aria-label={`Take out ${line.name}`}
                    onClick={() => {
                      cart.setQuantity(line.id, 0)
                      tell(`${line.name} is no longer in your cart.`)
                      requestAnimationFrame(focusHeading)
                    }}
                  >
                    Take out
                  </Button>
                </div>
              </div>
              <p className={styles.sum}>{money(line.priceMinor * line.quantity, line.currency)}</p>
            </li>
          ))}
        </ul>
        <section className={styles.total} aria-labelledby="total">
          <h2 id="total">Total</h2>
          <p className={styles.amount}>
            <output>{money(totalOf(lines), currency)}</output>
          </p>
          <p className={styles.unit}>With everything: tax and delivery.</p>
          {short.size > 0 && (
            <Notice kind="wait">
              <p>There is not enough of everything. You can order all the same; an order that we cannot fill is cancelled and not charged.</p>
            </Notice>
          )}
          <ButtonLink to="/checkout">Go to checkout</ButtonLink>
        </section>
      </div>
    </>
  )
}
