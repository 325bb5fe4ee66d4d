import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cart, countOf, merge, totalOf } from '../src/lib/cart'

const storage = (text: string | null = null) => {
  const values = new Map<string, string>(text === null ? [] : [['kontor.cart', text]])
  return { getItem: (key: string) => values.get(key) ?? null, setItem: (key: string, value: string) => void values.set(key, value) }
}
const mug = { id: 'MUG-001', name: 'Coffee Mug', priceMinor: 1599, currency: 'USD' }
const lamp = { id: 'LAMP-204', name: 'Desk Lamp', priceMinor: 8900, currency: 'USD' }

test('the same product is one line, and never more than a hundred of it', () => {
  const cart = new Cart(storage())
  cart.add(mug, 2)
  cart.add(lamp, 1)
  cart.add(mug, 3)
  assert.deepEqual(cart.state.lines.map((l) => [l.id, l.quantity]), [['MUG-001', 5], ['LAMP-204', 1]])
  assert.equal(countOf(cart.state.lines), 6)
  assert.equal(totalOf(cart.state.lines), 5 * 1599 + 8900)
  cart.add(mug, 99)
  assert.equal(cart.state.lines[0]!.quantity, 100)
})

test('none of it takes it out', () => {
  const cart = new Cart(storage())
  cart.add(mug, 2)
  cart.setQuantity('MUG-001', 0)
  assert.deepEqual(cart.state.lines, [])
})

test('another tab sees what this one did', () => {
  const shared = storage()
  const [one, two] = [new Cart(shared), new Cart(shared)]
  let told = 0
  two.subscribe(() => told++)
  one.add(mug, 1)
  two.reload()
  assert.equal(two.state.lines.length, 1)
  assert.equal(told, 1)
  two.reload()
  assert.equal(told, 1)
})

test('what is kept and broken is an empty cart', () => {
  for (const text of ['', 'no json', '7', 'null', '{"lines":7}', '{"lines":[{"id":"X"},{"id":"X","name":"x","priceMinor":0.5,"currency":"USD","quantity":1},null]}'])
    assert.deepEqual(new Cart(storage(text)).state.lines, [])
})

test('a price that changed is shown', () => {
  const cart = new Cart(storage())
  cart.add(mug, 2)
  cart.reprice([{ ...mug, priceMinor: 1700 }])
  assert.equal(totalOf(cart.state.lines), 3400)
})

test('two carts become one with the larger number of each', () => {
  const line = (of: typeof mug, quantity: number) => ({ ...of, quantity })
  assert.deepEqual(merge([line(mug, 2)], [line(mug, 5), line(lamp, 1)]).map((l) => [l.id, l.quantity]), [['MUG-001', 5], ['LAMP-204', 1]])
})

test('a storage that is full costs the cart nothing but its memory', () => {
  const cart = new Cart({
    getItem: () => null,
    setItem: () => {
      throw new Error('full')
    },
  })
  cart.add(mug, 1)
  assert.equal(cart.state.lines.length, 1)
})
