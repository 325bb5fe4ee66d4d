import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { EventParser } from '../src/api/parser'
import { nextOf } from '../src/api/links'
import { ApiProblem, Unreachable, fieldErrors, knownCodes, messageOf } from '../src/api/problem'

test('every problem that the gateway documents has a message of its own', () => {
  const document = readFileSync('../../services/gateway/README.md', 'utf8')
  const codes = [...document.matchAll(/\b[45]\d\d ((?:`[a-z-]+`(?:, )?)+)/g)].flatMap((m) => [...m[1]!.matchAll(/`([a-z-]+)`/g)].map((c) => c[1]!))
  assert.ok(codes.length > 15, 'the table is not where it was')
  assert.deepEqual(codes.filter((code) => !knownCodes.has(code)), [])
})

test('a problem is told in words, with what it says about itself', () => {
  const declined = new ApiProblem(402, { code: 'payment-declined', failureReason: 'expired_card' })
  assert.match(messageOf(declined), /expired/)
  assert.match(messageOf(new ApiProblem(429, { code: 'too-many-requests' }, 7)), /7 seconds/)
  assert.match(messageOf(new ApiProblem(429, { code: 'account-locked' }, 900)), /15 minutes/)
  assert.match(messageOf(new ApiProblem(503, { type: 'urn:problem:unavailable' })), /away/)
  assert.match(messageOf(new ApiProblem(500, {})), /our side/)
  assert.match(messageOf(new Unreachable(null)), /reached/)
  assert.match(messageOf(new TypeError('x')), /page/)
})

test('a message belongs to its field', () => {
  const problem = new ApiProblem(400, { code: 'validation', errors: { password: ['must have 8 characters'], 'card.number': ['is not valid'] } })
  assert.equal(fieldErrors(problem, 'password'), 'must have 8 characters')
  assert.equal(fieldErrors(problem, 'card'), 'is not valid')
  assert.equal(fieldErrors(problem, 'email'), undefined)
})

test('a refusal is final, and what may pass is not', () => {
  for (const status of [400, 402, 404, 409, 412, 422]) assert.ok(new ApiProblem(status, {}).isFinal)
  for (const status of [401, 429, 500, 502, 503]) assert.ok(!new ApiProblem(status, {}).isFinal)
})

test('events are read whatever the pieces they come in', () => {
  const text = ': hello\r\n\r\nevent: status\ndata: {"status":\ndata: "PENDING"}\nid: 1\n\ndata: plain\n\nid: 2\ndata: ünïcode\r\n\r\n'
  const expected = [
    { id: '1', type: 'status', data: '{"status":\n"PENDING"}' },
    { id: '1', type: 'message', data: 'plain' },
    { id: '2', type: 'message', data: 'ünïcode' },
  ]
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser()
    const events = []
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)))
    assert.deepEqual(events, expected, `in pieces of ${size}`)
  }
})

test('the next page is where the link says', () => {
  assert.equal(nextOf('</api/v1/x?limit=3&page=1>; rel="first", </api/v1/x?limit=3&cursor=MUG%2F1>; rel="next"'), 'MUG/1')
  assert.equal(nextOf('</api/v1/x?page=1>; rel="first"'), undefined)
  assert.equal(nextOf(null), undefined)
})
