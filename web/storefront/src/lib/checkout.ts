import { ApiProblem, Unreachable } from '../api/problem'
import type { Order, PlaceOrderBody } from '../api/types'
import type { Cart, PendingOrder } from './cart'

export interface OrderDesk {
  place(body: PlaceOrderBody, key: string): Promise<Order>
  pause(milliseconds: number): Promise<void>
  /** One tab at a time. */
  alone<T>(work: () => Promise<T>): Promise<T>
  newKey(): string
}

const pauses = [1000, 2000, 4000]

/**
 * Places the order of the cart once, whatever happens on the way: the key is written down with what is sent before it is sent, is sent again when no answer came (now, or after a
 * reload), and is forgotten when an answer was seen. Throws the problem of a refusal, or what kept the answer away.
 * @param onWait told before each further attempt.
 */
export async function placeOrder(cart: Cart, desk: OrderDesk, user: string, body: PlaceOrderBody, onWait: (attempt: number) => void): Promise<Order> {
  return await desk.alone(async () => {
    const pending = cart.begin(user, body, desk.newKey)
    for (let attempt = 0; ; attempt++) {
      try {
        const order = await desk.place(pending.body, pending.key)
        cart.settle(pending.key, true)
        return order
      } catch (error) {
        if (error instanceof ApiProblem && error.isFinal) {
          cart.settle(pending.key, false)
          throw error
        }
        const passing = error instanceof Unreachable || (error instanceof ApiProblem && error.status !== 401)
        const wait = pauses[attempt]
        if (!passing || wait === undefined) throw error
        onWait(attempt + 1)
        await desk.pause(error instanceof ApiProblem && error.retryAfter !== undefined ? Math.max(wait, error.retryAfter * 1000) : wait)
      }
    }
  })
}

/** The order of this user that waits for its answer. */
export const waitingOrder = (cart: Cart, user: string): PendingOrder | undefined => (cart.state.pending?.user === user ? cart.state.pending : undefined)

/** A key nobody else has. `crypto.randomUUID` is for secure contexts only. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
