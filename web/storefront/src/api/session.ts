import { ApiProblem } from './problem'
import type { SessionAnswer, User } from './types'

export type SessionState =
  | { readonly status: 'unknown' }
  | { readonly status: 'out' }
  | { readonly status: 'in'; readonly user: User; readonly token: string; readonly expiresAt: number }

/** What the session needs of a browser; tests bring their own. */
export interface SessionWorld {
  /** Asks the gateway; null for 204. Throws ApiProblem or Unreachable. */
  ask(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<SessionAnswer | null>
  /** One at a time over all tabs. */
  alone<T>(work: () => Promise<T>): Promise<T>
  /** Tells the other tabs. */
  tell(state: SessionState): void
  now(): number
}

const early = 30_000

/**
 * Who is signed in. The access token lives in this object alone; the refresh token in a cookie that no script reads. A refresh token is good for one exchange, and a second use of it
 * ends the session, so tabs exchange it one after the other and tell each other what they got.
 */
export class Session {
  readonly #world: SessionWorld
  readonly #listeners = new Set<() => void>()
  #state: SessionState = { status: 'unknown' }
  #refreshing: Promise<SessionState> | null = null

  constructor(world: SessionWorld) {
    this.#world = world
  }

  get state(): SessionState {
    return this.#state
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The first look: is somebody signed in? False when there was no answer: then nobody is for the moment. */
  async start(): Promise<boolean> {
    try {
      await this.refresh(null)
      return true
    } catch {
      if (this.#state.status === 'unknown') this.#set({ status: 'out' })
      return false
    }
  }

  /** A token that is good for a while, or null when nobody is signed in. */
  async token(): Promise<string | null> {
    const state = this.#state
    if (state.status === 'out') return null
    if (state.status === 'in' && state.expiresAt - early > this.#world.now()) return state.token
    const next = await this.refresh(state.status === 'in' ? state.token : null)
    return next.status === 'in' ? next.token : null
  }

  /** Exchanges the cookie, unless somebody did since `stale` was in use. Throws when there was no answer: the session stays as it was. */
  refresh(stale: string | null): Promise<SessionState> {
    this.#refreshing ??= this.#exchange(stale).finally(() => (this.#refreshing = null))
    return this.#refreshing
  }

  async signIn(email: string, password: string): Promise<void> {
    await this.#enter('', { email, password })
  }

  async register(body: { email: string; password: string; firstName: string; lastName: string }): Promise<void> {
    await this.#enter('/register', body)
  }

  /** @param everywhere in every browser, and not in this one alone. */
  async signOut(everywhere = false): Promise<void> {
    await this.#world.alone(() => this.#world.ask('DELETE', everywhere ? '?everywhere=true' : ''))
    this.#adopt({ status: 'out' })
  }

  /** Another tab said so. */
  hear(state: SessionState): void {
    this.#set(state)
  }

  async #enter(path: string, body: unknown): Promise<void> {
    const answer = await this.#world.alone(() => this.#world.ask('POST', path, body))
    if (answer) this.#adopt(this.#stateOf(answer))
  }

  #exchange(stale: string | null): Promise<SessionState> {
    return this.#world.alone(async () => {
      // Another tab was first while this one waited.
      const now = this.#state
      if (now.status === 'in' && now.token !== stale && now.expiresAt - early > this.#world.now()) return now
      try {
        const answer = await this.#world.ask('POST', '/refresh')
        this.#adopt(answer ? this.#stateOf(answer) : { status: 'out' })
      } catch (error) {
        if (!(error instanceof ApiProblem && error.status === 401)) throw error
        this.#adopt({ status: 'out' })
      }
      return this.#state
    })
  }

  #stateOf(answer: SessionAnswer): SessionState {
    return { status: 'in', user: answer.user, token: answer.accessToken, expiresAt: this.#world.now() + answer.expiresIn * 1000 }
  }

  #adopt(state: SessionState): void {
    this.#set(state)
    this.#world.tell(state)
  }

  #set(state: SessionState): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}
