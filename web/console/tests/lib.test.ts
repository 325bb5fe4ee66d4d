import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LogLine, Span } from '../src/api/types'
import { address } from '../src/api/api'
import { extend, nearest, path } from '../src/lib/charts'
import { bytes, duration, money, words } from '../src/lib/format'
import { brief, pretty, tokens, unwrap } from '../src/lib/json'
import { jumps } from '../src/lib/jump'
import { append, empty, matches, prepend } from '../src/lib/logs'
import { withFirst } from '../src/lib/pages'
import { foldedAxis, linearAxis, merge, niceScale, position, tickName, ticks, timeAt } from '../src/lib/scale'
import { maxHeight, scrollTo, visible } from '../src/lib/virtual'
import { bars, coloursOf, servicesOf, titleOf } from '../src/lib/waterfall'
import { match } from '../src/router'

describe('formats', () => {
  test('A duration is given in the units that matter', () => {
    assert.equal(duration(0.42, 'en'), '0.42 ms')
    assert.equal(duration(36, 'en'), '36 ms')
    assert.equal(duration(1240, 'en'), '1.24 sec')
    assert.equal(duration(125_000, 'en'), '2 min 5 sec')
    assert.equal(duration(3 * 3_600_000, 'en'), '3 hr')
    assert.equal(duration(59_970, 'en'), '1 min')
    assert.equal(duration(26 * 3_600_000, 'en'), '1 day 2 hr')
  })
  test('A duration follows the locale', () => assert.equal(duration(1240, 'de'), '1,24 Sek.'))
  test('Money is divided as its currency says', () => {
    assert.equal(money(123_456, 'USD', 'en'), '$1,234.56')
    assert.equal(money(1234, 'JPY', 'en'), '¥1,234')
  })
  test('A currency that is none is shown as it is', () => assert.equal(money(5, 'NOPE!', 'en'), '5 NOPE!'))
  test('Bytes take the unit that keeps them short', () => {
    assert.equal(bytes(512, 'en'), '512 byte')
    assert.equal(bytes(1_500_000, 'en'), '1.4 MB')
  })
  test('Names become words', () => assert.equal(words('taskScheduled'), 'task scheduled'))
})

describe('JSON', () => {
  test('JSON in a string is the JSON', () => assert.deepEqual(unwrap('{"a":1}'), { a: 1 }))
  test('Text that only begins like JSON stays text', () => assert.equal(unwrap('[x'), '[x'))
  test('Text stays text', () => assert.equal(pretty('hello'), 'hello'))
  test('Tokens together are the text again', () => {
    const text = pretty({ a: [1, -2.5, true, null, 'x: "y"'], b: {} })
    assert.equal(tokens(text).map((t) => t.text).join(''), text)
    assert.deepEqual(tokens('"a": 1').map((t) => t.kind), ['key', 'plain', 'plain', 'number'])
  })
  test('A brief value ends in time', () => assert.equal(brief('x'.repeat(50), 10).length, 10))
})

describe('virtual list', () => {
  const list = { count: 100_000, rowHeight: 28, viewport: 700, overscan: 5 }
  test('Only what is in sight is drawn', () => {
    const w = visible(list, 28_000)
    assert.equal(w.firstVisible, 1000)
    assert.equal(w.from, 995)
    assert.equal(w.to, 1030)
    assert.equal(w.top, 995 * 28)
  })
  test('A short list is drawn whole', () => assert.deepEqual([visible({ ...list, count: 3 }, 0).from, visible({ ...list, count: 3 }, 0).to], [0, 3]))
  test('An empty list draws nothing', () => assert.equal(visible({ ...list, count: 0 }, 50).to, 0))
  test('Scrolling beyond the end shows the end', () => assert.equal(visible(list, 1e9).lastVisible, 100_000))
  const long = { count: 10_000_000, rowHeight: 22, viewport: 800, overscan: 5 }
  test('A list higher than a browser can lay out is scaled, and both ends are reached', () => {
    assert.equal(visible(long, 0).height, maxHeight)
    assert.equal(visible(long, 0).firstVisible, 0)
    assert.equal(visible(long, maxHeight - 800).lastVisible, 10_000_000)
  })
  test('The bar moves to bring a row into sight, and not when it is', () => {
    assert.equal(scrollTo(list, 0, 10), 0)
    assert.equal(scrollTo(list, 0, 100), 101 * 28 - 700)
    assert.equal(scrollTo(list, 28_000, 10), 280)
    const to = scrollTo(long, 0, 5_000_000)
    const w = visible(long, to)
    assert.ok(w.firstVisible <= 5_000_000 && w.lastVisible > 5_000_000)
  })
})

describe('axis', () => {
  test('Intervals that touch become one', () => assert.deepEqual(merge([[5, 6], [0, 2], [2, 3]]), [[0, 3], [5, 6]]))
  test('An hour of waiting is folded, milliseconds stay wide', () => {
    const axis = foldedAxis(0, 3_600_100, 1000, [[0, 50], [3_600_050, 3_600_100]])
    assert.ok(axis.stretches.some((s) => s.folded))
    assert.ok(position(axis, 50) > 400)
    assert.ok(position(axis, 3_600_050) < 600)
    assert.equal(position(axis, 3_600_100), 1000)
  })
  test('Positions grow with time, and times come back from positions', () => {
    const axis = foldedAxis(0, 90_000, 900, [[0, 100], [60_000, 60_200], [89_000, 90_000]])
    let last = -1
    for (let t = 0; t <= 90_000; t += 250) {
      const x = position(axis, t)
      assert.ok(x >= last)
      assert.ok(Math.abs(timeAt(axis, x) - t) < 1)
      last = x
    }
  })
  test('Without idle time nothing is folded', () => assert.equal(foldedAxis(0, 1000, 500, [[0, 1000]]).stretches.length, 1))
  test('Ticks are round and not in folds', () => {
    assert.deepEqual(ticks(linearAxis(0, 1000, 500), 90), [0, 200, 400, 600, 800, 1000])
    const axis = foldedAxis(0, 3_600_100, 1000, [[0, 50], [3_600_050, 3_600_100]])
    const fold = axis.stretches.find((s) => s.folded)!
    assert.ok(ticks(axis).every((t) => t <= fold.from || t >= fold.to))
  })
  test('A tick has the decimals that tell it from the next', () => {
    const axis = foldedAxis(0, 3_600_100, 1000, [[0, 50], [3_600_050, 3_600_100]])
    assert.equal(tickName(20, axis, 'en'), '20 ms')
    assert.equal(tickName(31_045, foldedAxis(0, 31_090, 1000, [[0, 50], [31_000, 31_090]]), 'en'), '31.05 s')
    assert.equal(tickName(40_000, linearAxis(0, 60_000, 500), 'en'), '40 sec')
  })
  test('A vertical axis ends at a round number', () => {
    assert.deepEqual(niceScale(87), { top: 100, step: 50 })
    assert.deepEqual(niceScale(0), { top: 1, step: 1 })
    assert.deepEqual(niceScale(40), { top: 40, step: 10 })
  })
})

describe('waterfall', () => {
  const span = (spanId: string, parentId: string | null, offsetMs: number, ms: number, service = 'a'): Span => ({ spanId, parentId, service, name: spanId, kind: 'server', at: '', offsetMs, ms, status: 'unset', attributes: {} })
  test('Children follow their parent in order of time', () => {
    const rows = bars([span('c', 'a', 5, 1), span('a', null, 0, 10), span('b', 'a', 1, 2), span('d', 'b', 1, 1)])
    assert.deepEqual(rows.map((r) => [r.span.spanId, r.depth]), [['a', 0], ['b', 1], ['d', 2], ['c', 1]])
  })
  test('What is below a collapsed span is not drawn', () => assert.deepEqual(bars([span('a', null, 0, 10), span('b', 'a', 1, 2)], new Set(['a'])).map((r) => r.span.spanId), ['a']))
  test('A span whose parent is missing is a root, and says so', () => assert.deepEqual(bars([span('b', 'lost', 1, 2)]).map((r) => [r.depth, r.orphan]), [[0, true]]))
  test('A span that is its own parent is drawn once', () => assert.equal(bars([span('a', 'a', 0, 1)]).length, 1))
  test('Time in children is not counted twice', () => {
    const [root] = bars([span('a', null, 0, 10), span('b', 'a', 1, 4), span('c', 'a', 3, 4), span('d', 'a', 9, 5)])
    assert.equal(root!.selfMs, 3)
  })
  test('A span is named by what it does', () => {
    const call = { ...span('POST', null, 0, 1), attributes: { 'http.request.method': 'POST', 'url.full': 'http://localhost:50001/shop.Orders/Place' } }
    assert.equal(titleOf(call, undefined), 'POST /shop.Orders/Place')
    const served = { ...span('Microsoft.AspNetCore.Hosting.HttpRequestIn', 'POST', 0, 1) }
    assert.equal(titleOf(served, call), 'POST /shop.Orders/Place')
    assert.equal(titleOf(served, undefined), 'request')
    assert.equal(titleOf({ ...span('postgresql', null, 0, 1), attributes: { 'db.query.text': 'SELECT *\n  FROM orders' } }, undefined), 'SELECT * FROM orders')
    assert.equal(titleOf(span('activity||Reserve', null, 0, 1), undefined), 'activity||Reserve')
  })
  test('An app and its sidecar have one colour, in two shades', () => {
    const colours = coloursOf(['gateway', 'gateway.daprd', 'orders.daprd', 'orders'])
    assert.equal(colours.get('gateway'), 'var(--hue-0)')
    assert.match(colours.get('gateway.daprd')!, /color-mix\(.*--hue-0/)
    assert.equal(colours.get('orders'), 'var(--hue-1)')
    assert.match(colours.get('orders.daprd')!, /--hue-1/)
  })
  test('Services stand in order of their first span', () => assert.deepEqual(servicesOf([span('x', null, 5, 1, 'late'), span('y', null, 0, 1, 'early')]), ['early', 'late']))
})

describe('logs', () => {
  const line = (id: string): LogLine => ({ id, at: '', app: 'orders', source: 'app', level: 'info', text: `text ${id}` })
  const lines = (from: number, to: number): LogLine[] => Array.from({ length: to - from }, (_, i) => line(`L${from + i}`))
  test('Live lines join at the end, those known already do not', () => {
    const w = append(append(empty, lines(0, 3)), lines(2, 5))
    assert.deepEqual(w.lines.map((l) => l.id), ['L0', 'L1', 'L2', 'L3', 'L4'])
  })
  test('The oldest are cut when it grows too long, and can be fetched again', () => {
    const w = append(append(empty, lines(0, 8)), lines(8, 12), 10)
    assert.equal(w.lines.length, 10)
    assert.equal(w.older, 'L2')
  })
  test('Older lines join at the beginning; beyond the limit the newest are cut and it no longer follows', () => {
    const w = prepend(append(empty, lines(10, 20)), lines(0, 10), null, 15)
    assert.equal(w.lines[0]!.id, 'L0')
    assert.equal(w.lines.length, 15)
    assert.ok(w.detached)
    assert.equal(append(w, lines(20, 21)), w)
  })
  test('A line is tested by all filters', () => {
    const of = { ...line('x'), level: 'warn' as const, traceId: 't' }
    assert.ok(matches(of, { app: [], level: 'warn', text: 'TEXT', trace: 't' }))
    assert.ok(!matches(of, { app: ['users'], level: '', text: '', trace: '' }))
    assert.ok(!matches(of, { app: [], level: 'error', text: '', trace: '' }))
  })
})

describe('charts', () => {
  const chart = { id: 'c', title: '', unit: '', kind: 'line' as const, series: [{ label: 'a', points: [[0, 1], [5000, 2]] as [number, number | null][] }] }
  test('A sample joins its series; what is older than the span goes', () => {
    const [c] = extend([chart], { at: 10_000, charts: { c: { a: 3, new: 4 } } }, 7000)
    assert.deepEqual(c!.series[0]!.points, [[5000, 2], [10_000, 3]])
    assert.deepEqual(c!.series[1], { label: 'new', points: [[10_000, 4]] })
  })
  test('A sample that is there already changes nothing', () => assert.equal(extend([chart], { at: 5000, charts: { c: { a: 9 } } })[0]!.series[0]!.points.length, 2))
  test('The nearest point is found', () => {
    assert.deepEqual(nearest(chart.series[0]!.points, 2400), [0, 1])
    assert.deepEqual(nearest(chart.series[0]!.points, 2600), [5000, 2])
    assert.equal(nearest([], 1), null)
  })
  test('A silence is a gap', () => assert.equal(path([[0, 1], [5000, 2], [90_000, 3], [95_000, null], [96_000, 1]], (t) => t / 1000, (v) => v).match(/M/g)?.length, 3))
})

describe('addresses', () => {
  test('Empty values are left out, lists are repeated', () => assert.equal(address('/logs', { app: ['a', 'b'], level: '', text: null, limit: 5 }), '/api/v1/logs?app=a&app=b&limit=5'))
  test('Parts of a path are decoded', () => assert.deepEqual(match('/workflows/:app/:id', '/workflows/orders/a%2Fb'), { app: 'orders', id: 'a/b' }))
  test('Another path does not match', () => assert.equal(match('/workflows/:app/:id', '/workflows/orders'), null))
  test('A broken escape does not match', () => assert.equal(match('/order/:id', '/order/%zz'), null))
})

describe('jump', () => {
  const places = [{ label: 'Dead letters', hint: 'Dapr', to: '/dapr/dead-letters' }, { label: 'orders', hint: 'its logs', to: '/logs?app=orders' }]
  test('An order leads to its workflow', () => assert.equal(jumps('ORD-123', places)[0]!.to, '/order/ORD-123'))
  test('A trace id leads to its trace', () => assert.equal(jumps('A'.repeat(32), places)[0]!.to, `/traces/${'a'.repeat(32)}`))
  test('Letters in order find a place', () => assert.equal(jumps('dlet', places)[0]!.to, '/dapr/dead-letters'))
  test('What is no place can be searched for', () => assert.ok(jumps('zzz', places).some((t) => t.to === '/logs?text=zzz')))
})

describe('lists by pages', () => {
  const self = (x: string): string => x
  test('A first page loaded anew goes before what was loaded behind it', () =>
    assert.deepEqual(withFirst({ items: ['a', 'c', 'd', 'e'], next: 'e' }, { items: ['a', 'b', 'c'], next: 'c' }, self), { items: ['a', 'b', 'c', 'd', 'e'], next: 'e' }))
  test('Where the ends do not meet, what was behind is left out', () =>
    assert.deepEqual(withFirst({ items: ['a', 'c', 'd'], next: 'd' }, { items: ['a', 'b'], next: 'b' }, self), { items: ['a', 'b'], next: 'b' }))
  test('A first page that is the last is all there is', () => {
    assert.deepEqual(withFirst({ items: ['a', 'b'], next: 'b' }, { items: ['b'], next: null }, self), { items: ['b'], next: null })
    assert.deepEqual(withFirst({ items: ['a', 'b'], next: 'b' }, { items: [] }, self), { items: [], next: null })
  })
  test('What was loaded to its end stays so', () => assert.deepEqual(withFirst({ items: ['a', 'b', 'c'], next: null }, { items: ['a', 'b'], next: 'b' }, self), { items: ['a', 'b', 'c'], next: null }))
})
