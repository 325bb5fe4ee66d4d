import { basket, saveBasket } from '../api/shop'
import { inTurn, session } from '../api/http'
import { ApiProblem } from '../api/problem'
import type { Basket } from '../api/types'
import { type Cart, type CartLine, merge } from './cart'

const quiet = 500

/**
 * Keeps the cart of whoever is signed in at the gateway too, so that it is there in every browser; one tab at a time. The cart works without: what fails here is done at the next change.
 */
export function keepBasket(cart: Cart): void {
  let user: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const linesOf = (theirs: Basket): CartLine[] =>
    theirs.items.filter((i) => i.available).map((i) => ({ id: i.productId, name: i.name, priceMinor: i.unitPriceMinor, currency: theirs.currency ?? '', quantity: i.quantity }))

  const inStep = (id: string, attempt = 1): void =>
    void inTurn('kontor-basket', async () => {
      const { value, etag } = await basket()
      // Another tab, or whoever signed in since, may have been here.
      cart.reload()
      if (user !== id) return
      const { lines, owner, dirty } = cart.state
      const theirs = linesOf(value)
      if (owner !== undefined && (owner !== id || !dirty)) return cart.synced(id, theirs)
      const wanted = owner === id ? lines : merge(lines, theirs)
      // The gateway empties the basket of an order that is confirmed: to empty it again needs no version.
      if (!same(wanted, theirs)) await saveBasket(wanted.map(({ id: productId, quantity }) => ({ productId, quantity })), wanted.length === 0 ? '*' : etag)
      const before = JSON.stringify(lines)
      cart.reload()
      // What was changed meanwhile is for the next turn.
      if (JSON.stringify(cart.state.lines) === before) cart.synced(id, wanted)
      else cart.synced(id, owner === id ? cart.state.lines : merge(cart.state.lines, theirs), true)
    }).catch((error: unknown) => {
      // Changed elsewhere between reading and writing.
      if (error instanceof ApiProblem && error.status === 412 && attempt < 3) inStep(id, attempt + 1)
    })

  session.subscribe(() => {
    const state = session.state
    const next = state.status === 'in' ? state.user.id : undefined
    if (state.status === 'unknown' || next === user) return
    // Somebody left: what is theirs is at the gateway, and not for whoever comes next.
    if (user !== undefined && next === undefined) cart.clear()
    user = next
    if (next !== undefined) inStep(next)
  })

  cart.subscribe(() => {
    if (user === undefined || !cart.state.dirty || cart.state.owner !== user) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (user !== undefined && cart.state.dirty) inStep(user)
    }, quiet)
  })
}

const same = (one: readonly CartLine[], other: readonly CartLine[]): boolean =>
  one.length === other.length && one.every((line) => other.some((o) => o.id === line.id && o.quantity === line.quantity))
