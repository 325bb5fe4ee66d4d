import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiProblem, Unreachable } from '../src/api/problem'
import type { Order, PlaceOrderBody } from '../src/api/types'
import { Cart } from '../src/lib/cart'
import { type OrderDesk, placeOrder, waitingOrder } from '../src/lib/checkout'

class Memory {
  readonly values = new Map<string, string>()
  getItem = (key: string) => this.values.get(key) ?? null
  setItem = (key: string, value: string) => void this.values.set(key, value)
}

const mug = { id: 'MUG-001', name: 'Coffee Mug', priceMinor: 1599, currency: 'USD' }
const body: PlaceOrderBody = { items: [{ productId: 'MUG-001', quantity: 1 }], shippingAddress: '12 St James Square', payment: { method: 'CREDIT_CARD', token: 'tok_approve' } }

/** Answers one after the other; what was asked is kept. */
class Desk implements OrderDesk {
  readonly asked: { key: string; body: PlaceOrderBody }[] = []
  readonly pauses: number[] = []
  readonly #answers: (Error | 'ok')[]
  #keys = 0
  #turn: Promise<unknown> = Promise.resolve()

  constructor(...answers: (Error | 'ok')[]) {
    this.#answers = answers
  }

  place = async (sent: PlaceOrderBody, key: string): Promise<Order> => {
    this.asked.push({ key, body: sent })
    const answer = this.#answers.shift() ?? 'ok'
    if (answer !== 'ok') throw answer
    return { id: `ORD-${key}` } as Order
  }
  pause = async (milliseconds: number) => void this.pauses.push(milliseconds)
  alone = <T,>(work: () => Promise<T>): Promise<T> => {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => undefined)
    return mine
  }
  newKey = () => `key-${++this.#keys}`
}

function filled(storage = new Memory()): Cart {
  const cart = new Cart(storage)
  cart.add(mug, 1)
  return cart
}
const nothing = () => undefined

test('an order that is placed empties the cart and leaves no key', async () => {
  const cart = filled()
  const desk = new Desk('ok')
  const order = await placeOrder(cart, desk, 'USR-1', body, nothing)
  assert.equal(order.id, 'ORD-key-1')
  assert.deepEqual(cart.state.lines, [])
  assert.equal(waitingOrder(cart, 'USR-1'), undefined)
})

test('an answer that did not come is asked for with the same key and the same body', async () => {
  const desk = new Desk(new Unreachable(null), new ApiProblem(503, {}, 3), 'ok')
  const attempts: number[] = []
  await placeOrder(filled(), desk, 'USR-1', body, (n) => attempts.push(n))
  assert.deepEqual(desk.asked.map((a) => a.key), ['key-1', 'key-1', 'key-1'])
  assert.deepEqual(attempts, [1, 2])
  assert.deepEqual(desk.pauses, [1000, 3000])
})

test('after a reload it is still the same order', async () => {
  const storage = new Memory()
  const away = new Desk(...Array.from({ length: 4 }, () => new Unreachable(null)))
  await assert.rejects(placeOrder(filled(storage), away, 'USR-1', body, nothing), Unreachable)

  const again = new Cart(storage)
  assert.equal(waitingOrder(again, 'USR-1')?.key, 'key-1')
  const desk = new Desk('ok')
  await placeOrder(again, desk, 'USR-1', { ...body, shippingAddress: 'elsewhere' }, nothing)
  assert.deepEqual(desk.asked, [{ key: 'key-1', body }])
  assert.deepEqual(new Cart(storage).state.lines, [])
})

test('what was sent is written down before it is sent', async () => {
  const storage = new Memory()
  const desk = new Desk('ok')
  const place = desk.place
  desk.place = (sent, key) => {
    assert.match(storage.getItem('kontor.cart')!, /key-1/)
    return place(sent, key)
  }
  await placeOrder(filled(storage), desk, 'USR-1', body, nothing)
})

test('a refusal is an answer: the cart stays, and the next attempt is another order', async () => {
  const cart = filled()
  const desk = new Desk(new ApiProblem(422, { code: 'unknown-product' }), 'ok')
  await assert.rejects(placeOrder(cart, desk, 'USR-1', body, nothing), ApiProblem)
  assert.equal(cart.state.lines.length, 1)
  await placeOrder(cart, desk, 'USR-1', body, nothing)
  assert.deepEqual(desk.asked.map((a) => a.key), ['key-1', 'key-2'])
})

test('a session that ended leaves the order waiting for whoever placed it', async () => {
  const cart = filled()
  await assert.rejects(placeOrder(cart, new Desk(new ApiProblem(401, {})), 'USR-1', body, nothing), ApiProblem)
  assert.equal(waitingOrder(cart, 'USR-1')?.key, 'key-1')
  assert.equal(waitingOrder(cart, 'USR-2'), undefined)
})

test('two tabs that order at once place one order', async () => {
  const storage = new Memory()
  const desk = new Desk(new Unreachable(null), new Unreachable(null), new Unreachable(null), new Unreachable(null), 'ok')
  const [one, two] = [filled(storage), new Cart(storage)]
  await Promise.allSettled([placeOrder(one, desk, 'USR-1', body, nothing), placeOrder(two, desk, 'USR-1', body, nothing)])
  assert.equal(new Set(desk.asked.map((a) => a.key)).size, 1)
  one.reload()
  assert.deepEqual(one.state.lines, [])
})

test('no card number and no token of the session is in what is kept', async () => {
  const storage = new Memory()
  await assert.rejects(placeOrder(filled(storage), new Desk(new ApiProblem(401, {})), 'USR-1', body, nothing))
  assert.doesNotMatch(storage.getItem('kontor.cart')!, /\d{12}|eyJ|refresh|accessToken/)
})
