import assert from 'node:assert/strict'
import { test } from 'node:test'
import { money, parseMoney } from '../src/lib/money'

test('an amount is written with the digits of its currency', () => {
  assert.equal(money(19998, 'USD', 'en-US'), '$199.98')
  assert.equal(money(5, 'USD', 'en-US'), '$0.05')
  assert.equal(money(1500, 'JPY', 'en-US'), '¥1,500')
  assert.equal(money(1234, 'KWD', 'en-US').replace(/\s/g, ' '), 'KWD 1.234')
  assert.equal(money(123456, 'EUR', 'de-DE').replace(/\s/g, ' '), '1.234,56 €')
})

test('an amount beyond the precision of floating point keeps its cents', () => {
  assert.equal(money(900719925474099, 'USD', 'en-US'), '$9,007,199,254,740.99')
})

test('a debt has its sign', () => assert.equal(money(-100, 'USD', 'en-US'), '-$1.00'))

test('what is typed is read exactly, with point or comma', () => {
  assert.equal(parseMoney('12.5', 'USD'), 1250)
  assert.equal(parseMoney(' 0,07 ', 'EUR'), 7)
  assert.equal(parseMoney('12', 'JPY'), 12)
  assert.equal(parseMoney('1.005', 'USD'), null)
  assert.equal(parseMoney('1.5', 'JPY'), null)
  assert.equal(parseMoney('-3', 'USD'), null)
  assert.equal(parseMoney('ten', 'USD'), null)
})
