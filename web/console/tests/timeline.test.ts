import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HistoryEvent, Step } from '../src/api/types'
import { attemptsOf, awaitedOf, busyTimes, closed, extentOf, rowsOf, stepsAt, turnAt, turnsOf } from '../src/lib/timeline'

const at = (ms: number): string => new Date(1_000_000_000_000 + ms).toISOString()
const t = (ms: number): number => 1_000_000_000_000 + ms
let next = 0
const step = (kind: string, name: string, from: number, ms: number | null, more: Partial<Step> = {}): Step => ({
  number: next++, turn: 1, kind, name, startedAt: at(from), offsetMs: from, ms, state: ms === null ? 'open' : 'succeeded', ...more,
})
const event = (number: number, turn: number, ms: number): HistoryEvent => ({ number, turn, type: 'x', at: at(ms), detail: {} })

describe('turns', () => {
  const turns = turnsOf([event(0, 1, 0), event(1, 1, 2), event(2, 2, 40), event(3, 3, 90)])
  test('Events of one turn stand together', () => assert.deepEqual(turns.map((x) => [x.first, x.last]), [[0, 1], [2, 2], [3, 3]]))
  test('A turn is as late as its last event', () => assert.equal(turns[0]!.at, t(2)))
  test('The turn at a time is the last before it', () => assert.deepEqual([turnAt(turns, t(1)), turnAt(turns, t(50)), turnAt(turns, t(500))], [-1, 1, 2]))
})

describe('stepping back', () => {
  const steps = [step('activity', 'A', 0, 10, { output: '1' }), step('activity', 'B', 12, 30, { state: 'failed', failure: { type: 'Refused', message: 'no' } }), step('wait', 'approval', 12, null)]
  test('What began later is not there yet', () => assert.deepEqual(stepsAt(steps, t(5)).map((s) => s.name), ['A']))
  test('What ended later is open, and its result unknown', () => {
    const [, b] = stepsAt(steps, t(20))
    assert.equal(b!.state, 'open')
    assert.equal(b!.failure, undefined)
  })
  test('What is open is awaited', () => assert.deepEqual(awaitedOf(stepsAt(steps, t(20))).map((a) => [a.kind, a.name]), [['activity', 'B'], ['event', 'approval']]))
  test('At the end everything is as it is', () => assert.deepEqual(stepsAt(steps, t(100)), steps))
  test('Once the instance is over nothing is awaited', () => {
    assert.deepEqual(awaitedOf(closed(steps, t(100))), [])
    assert.equal(closed(steps, t(100))[2]!.ms, 88)
  })
})

describe('rows', () => {
  const steps = [
    step('start', 'OrderWorkflow', 0, null, { state: 'happened' }),
    step('activity', 'Pay', 0, 10, { state: 'failed', attempt: 1 }),
    step('timer', 'before a retry', 10, 200),
    step('activity', 'Pay', 210, 10, { attempt: 2 }),
    step('activity', 'Refund', 300, 5, { compensation: true }),
    step('timer', 'until 12:00', 300, 5),
    step('child', 'Undo', 310, 5, { childId: 'a' }),
    step('child', 'Undo', 310, 5, { childId: 'b' }),
    step('end', 'completed', 400, null, { state: 'succeeded' }),
  ]
  const rows = rowsOf(steps, 'OrderWorkflow')
  const row = (label: string) => rows.find((r) => r.label === label)!
  test('All attempts of an activity are one row, with the timers between them', () => {
    assert.equal(row('Pay').steps.length, 3)
    assert.equal(attemptsOf(row('Pay')), 2)
    assert.equal(row('Pay').state, 'succeeded')
  })
  test('Another timer is a row of its own', () => assert.equal(row('until 12:00').steps.length, 1))
  test('A compensation is marked', () => assert.equal(row('Refund').compensation, true))
  test('Children of the same name are rows of their own', () => assert.equal(rows.filter((r) => r.label === 'Undo').length, 2))
  test('Begin and end share the row of the instance, which is the first', () => {
    assert.equal(rows[0]!.kind, 'instance')
    assert.deepEqual(rows[0]!.steps.map((s) => s.kind), ['start', 'end'])
    assert.equal(rows[0]!.state, 'succeeded')
  })
  test('An instance without history has its row', () => assert.equal(rowsOf([], 'X').length, 1))
})

describe('extent', () => {
  const history = { steps: [step('activity', 'A', 5, 20)], events: [event(0, 1, 40)], turns: 1 }
  test('It ends with the last that happened', () => assert.deepEqual(extentOf(history, at(0), true, t(999)), { from: t(0), to: t(40) }))
  test('It goes on to now while the instance runs', () => assert.equal(extentOf(history, at(0), false, t(999)).to, t(999)))
  test('Waiting fills no time but its ends', () => assert.deepEqual(busyTimes([step('wait', 'w', 0, 500), step('activity', 'A', 10, 5)], t(0)), [[t(0), t(0)], [t(500), t(500)], [t(10), t(15)]]))
})

describe('names', () => {
  test('A wait is called after its event', () => assert.equal(rowsOf([step('wait', 'for event cancel without limit', 0, null)], 'X')[1]!.label, 'cancel'))
  test('A timer is called without its time', () => assert.equal(rowsOf([step('activity', 'A', 0, 1, { state: 'failed' }), step('timer', 'before a retry, until 22:25:22.869', 1, null)], 'X')[1]!.steps.length, 2))
  test('Waiting again for the same event is the same row', () =>
    assert.equal(rowsOf([step('wait', 'for event cancel until 10:00', 0, 5), step('wait', 'for event cancel without limit', 6, null)], 'X').length, 2))
})
