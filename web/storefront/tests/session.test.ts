import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiProblem, Unreachable } from '../src/api/problem'
import { Session, type SessionState } from '../src/api/session'
import type { SessionAnswer } from '../src/api/types'

const user = { id: 'USR-1', email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace', roles: ['customer'], createdAt: '2026-01-01T00:00:00Z' }

/** The gateway of these tests: a refresh token is good once, and a second use ends the session, as it is in truth. */
class Gateway {
  cookie: string | null = 'r0'
  used = new Set<string>()
  exchanges = 0
  broken: Error | null = null
  now = 0

  async exchange(): Promise<SessionAnswer | null> {
    const token = this.cookie
    await Promise.resolve()
    if (this.broken) throw this.broken
    if (token === null) return null
    if (this.used.has(token)) throw new ApiProblem(401, { code: 'invalid-refresh-token' })
    this.used.add(token)
    this.cookie = `r${++this.exchanges}`
    return { user, accessToken: `a${this.exchanges}`, tokenType: 'Bearer', expiresIn: 900 }
  }
}

/** Tabs of one browser. */
class Browser {
  readonly tabs: Session[] = []
  readonly gateway = new Gateway()
  #turn: Promise<unknown> = Promise.resolve()

  open(): Session {
    const tab: Session = new Session({
      ask: async (method, path) => {
        if (method === 'DELETE') this.gateway.cookie = null
        else if (path === '/refresh') return await this.gateway.exchange()
        else {
          this.gateway.cookie = 'fresh'
          return await this.gateway.exchange()
        }
        return null
      },
      alone: <T,>(work: () => Promise<T>) => {
        const mine = this.#turn.then(work)
        this.#turn = mine.catch(() => undefined)
        return mine
      },
      tell: (state: SessionState) => this.tabs.filter((other) => other !== tab).forEach((other) => other.hear(state)),
      now: () => this.gateway.now,
    })
    this.tabs.push(tab)
    return tab
  }
}

test('a page that opens is signed in by its cookie', async () => {
  const browser = new Browser()
  const tab = browser.open()
  await tab.start()
  assert.equal(tab.state.status, 'in')
  assert.equal(await tab.token(), 'a1')
  assert.equal(browser.gateway.exchanges, 1)
})

test('without a cookie nobody is signed in, and nobody asks again', async () => {
  const browser = new Browser()
  browser.gateway.cookie = null
  const tab = browser.open()
  await tab.start()
  assert.equal(tab.state.status, 'out')
  assert.equal(await tab.token(), null)
})

test('an expired token is exchanged once, however many ask for it', async () => {
  const browser = new Browser()
  const tab = browser.open()
  await tab.start()
  browser.gateway.now = 871_000
  assert.deepEqual(await Promise.all([tab.token(), tab.token(), tab.token()]), ['a2', 'a2', 'a2'])
  assert.equal(browser.gateway.exchanges, 2)
})

test('two tabs whose token expires at once never use a refresh token twice', async () => {
  const browser = new Browser()
  const [one, two] = [browser.open(), browser.open()]
  await Promise.all([one.start(), two.start()])
  for (let round = 1; round <= 5; round++) {
    browser.gateway.now += 890_000
    const tokens = await Promise.all([one.token(), two.token()])
    assert.equal(tokens[0], tokens[1])
    assert.equal(one.state.status, 'in')
    assert.equal(two.state.status, 'in')
  }
  assert.equal(browser.gateway.exchanges, 6)
})

test('a token that the gateway refuses is exchanged though it looks good', async () => {
  const browser = new Browser()
  const tab = browser.open()
  await tab.start()
  const state = await tab.refresh('a1')
  assert.equal(state.status === 'in' && state.token, 'a2')
})

test('a refresh token that is no longer good ends the session in every tab', async () => {
  const browser = new Browser()
  const [one, two] = [browser.open(), browser.open()]
  await one.start()
  browser.gateway.used.add(browser.gateway.cookie!)
  browser.gateway.now = 900_000
  assert.equal(await one.token(), null)
  assert.equal(one.state.status, 'out')
  assert.equal(two.state.status, 'out')
})

test('a gateway that is away ends no session', async () => {
  const browser = new Browser()
  const tab = browser.open()
  await tab.start()
  browser.gateway.now = 900_000
  browser.gateway.broken = new Unreachable(null)
  await assert.rejects(tab.token(), Unreachable)
  assert.equal(tab.state.status, 'in')
  browser.gateway.broken = null
  assert.equal(await tab.token(), 'a2')
})

test('a page that opens while the gateway is away shows the shop to nobody in particular', async () => {
  const browser = new Browser()
  browser.gateway.broken = new ApiProblem(503, { code: 'unavailable' })
  const tab = browser.open()
  assert.equal(await tab.start(), false)
  assert.equal(tab.state.status, 'out')
  browser.gateway.broken = null
  assert.equal(await tab.start(), true)
  assert.equal(tab.state.status, 'in')
})

test('signing in and out is seen by the other tabs', async () => {
  const browser = new Browser()
  browser.gateway.cookie = null
  const [one, two] = [browser.open(), browser.open()]
  await Promise.all([one.start(), two.start()])
  await one.signIn('ada@example.com', 'correct-horse-1')
  assert.equal(two.state.status, 'in')
  await two.signOut()
  assert.equal(one.state.status, 'out')
})
