import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { retryDelay, streamAddress, StreamHub, type Source, type Topic } from '../src/api/stream'

/** A source that says what it is told to, and a clock that is wound by hand. */
function world() {
  const sources: (Source & { url: string; closed: boolean; say: (type: string, data: unknown, id?: string) => void })[] = []
  const work: { run: () => void; ms: number; isOff: boolean }[] = []
  const hub = new StreamHub({
    open: (url) => {
      const listeners = new Map<string, (e: { data: string; lastEventId: string }) => void>()
      const source = {
        url, closed: false, readyState: 1, onopen: null, onerror: null,
        addEventListener: (type: string, listener: (e: { data: string; lastEventId: string }) => void) => void listeners.set(type, listener),
        close() { source.closed = true },
        say: (type: string, data: unknown, id = '') => listeners.get(type)?.({ data: JSON.stringify(data), lastEventId: id }),
      }
      sources.push(source)
      return source
    },
    later: (run, ms) => {
      const one = { run, ms, isOff: false }
      work.push(one)
      return () => { one.isOff = true }
    },
  })
  const wind = (): number[] => work.splice(0).filter((w) => !w.isOff).map((w) => (w.run(), w.ms))
  const heard: unknown[] = []
  const resets: string[] = []
  const join = (topics: Topic[], filters?: Record<string, string>) => hub.subscribe({ topics, filters, onMessage: (topic, data) => heard.push([topic, data]), onReset: () => resets.push(topics.join()) })
  return { hub, sources, wind, join, heard, resets }
}

describe('stream', () => {
  test('One connection serves all that a page shows', () => {
    const w = world()
    w.join(['status'])
    w.join(['logs', 'status'], { level: 'warn' })
    w.wind()
    assert.deepEqual(w.sources.map((s) => s.url), ['/api/v1/stream?topics=status%2Clogs&level=warn'])
  })
  test('Messages go to those who asked for their topic', () => {
    const w = world()
    w.join(['status'])
    w.wind()
    w.sources[0]!.say('status', { a: 1 }, '7')
    w.sources[0]!.say('logs', [])
    assert.deepEqual(w.heard, [['status', { a: 1 }]])
  })
  test('A change of interests goes on behind the last message', () => {
    const w = world()
    w.join(['status'])
    w.wind()
    w.sources[0]!.say('status', 1, '7')
    w.join(['logs'])
    w.wind()
    assert.equal(w.sources[0]!.closed, true)
    assert.equal(w.sources[1]!.url, '/api/v1/stream?topics=status%2Clogs&lastEventId=7')
  })
  test('The same interests keep the connection', () => {
    const w = world()
    const leave = w.join(['status'])
    w.wind()
    leave()
    w.join(['status'])
    w.wind()
    assert.equal(w.sources.length, 1)
  })
  test('When nobody is left the connection ends', () => {
    const w = world()
    const leave = w.join(['status'])
    w.wind()
    leave()
    w.wind()
    assert.equal(w.sources[0]!.closed, true)
  })
  test('After a refusal it is tried again, later each time, behind the last message', () => {
    const w = world()
    w.join(['status'])
    w.wind()
    w.sources[0]!.say('status', 1, '9')
    for (const expected of [1000, 2000, 4000]) {
      const source = w.sources.at(-1)!
      source.readyState = 2
      source.onerror?.()
      assert.equal(w.hub.state, 'waiting')
      assert.deepEqual(w.wind(), [expected])
    }
    assert.equal(w.sources.at(-1)!.url, '/api/v1/stream?topics=status&lastEventId=9')
    w.sources.at(-1)!.onopen?.()
    assert.equal(w.hub.state, 'live')
  })
  test('While the browser reconnects by itself nothing is opened', () => {
    const w = world()
    w.join(['status'])
    w.wind()
    w.sources[0]!.readyState = 0
    w.sources[0]!.onerror?.()
    assert.deepEqual(w.wind(), [])
    assert.equal(w.hub.state, 'waiting')
  })
  test('A reset tells everybody to fetch anew', () => {
    const w = world()
    w.join(['status'])
    w.join(['logs'])
    w.wind()
    w.sources[0]!.say('reset', {}, '50')
    assert.deepEqual(w.resets, ['status', 'logs'])
  })
  test('An old connection that still speaks is not heard', () => {
    const w = world()
    w.join(['status'])
    w.wind()
    w.join(['logs'])
    w.wind()
    w.sources[0]!.say('status', 'late')
    assert.deepEqual(w.heard, [])
  })
  test('Nothing wanted has no address', () => assert.equal(streamAddress([], ''), null))
  test('Retries are at most eight seconds apart', () => assert.deepEqual([1, 2, 3, 4, 9].map(retryDelay), [1000, 2000, 4000, 8000, 8000]))
})
