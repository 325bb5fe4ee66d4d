import { basket, saveBasket } from '../api/shop'
import { session } from '../api/http'
import { ApiProblem } from '../api/problem'
import type { Basket } from '../api/types'
import { type Cart, type CartLine, merge } from './cart'

const quiet = 500

/** Keeps the cart of whoever is signed in at the gateway too, so that it is there in every browser. The cart works without: what fails here is done at the next change. */
export function keepBasket(cart: Cart): void {
  let user: string | undefined
  let etag = ''
  let timer: ReturnType<typeof setTimeout> | undefined
  let work = Promise.resolve()

  const linesOf = (theirs: Basket): CartLine[] =>
    theirs.items.filter((i) => i.available).map((i) => ({ id: i.productId, name: i.name, priceMinor: i.unitPriceMinor, currency: theirs.currency ?? '', quantity: i.quantity }))

  async function arrive(id: string): Promise<void> {
    const { value, etag: version } = await basket()
    if (user !== id) return
    etag = version
    const { lines, owner, dirty } = cart.state
    const theirs = linesOf(value)
    if (owner === id && !dirty) cart.synced(id, theirs)
    else if (owner !== undefined && owner !== id) cart.synced(id, theirs)
    else await push(id, owner === id ? lines : merge(lines, theirs))
  }

  async function push(id: string, lines: readonly CartLine[]): Promise<void> {
    const items = lines.map(({ id: productId, quantity }) => ({ productId, quantity }))
    try {
      etag = (await saveBasket(items, etag || '*')).etag
    } catch (error) {
      if (!(error instanceof ApiProblem && error.status === 412)) throw error
      etag = (await saveBasket(items, '*')).etag
    }
    if (user === id) cart.synced(id, lines)
  }

  const inTurn = (step: () => Promise<void>) => {
    work = work.then(step).catch(() => undefined)
  }

  session.subscribe(() => {
    const state = session.state
    const next = state.status === 'in' ? state.user.id : undefined
    if (state.status === 'unknown' || next === user) return
    // Somebody left: what is theirs is at the gateway, and not for whoever comes next.
    if (user !== undefined && next === undefined) cart.clear()
    user = next
    etag = ''
    if (next !== undefined) inTurn(() => arrive(next))
  })

  cart.subscribe(() => {
    if (user === undefined || !cart.state.dirty || cart.state.owner !== user) return
    clearTimeout(timer)
    timer = setTimeout(() => inTurn(async () => {
      if (user !== undefined && cart.state.dirty) await push(user, cart.state.lines)
    }), quiet)
  })
}
