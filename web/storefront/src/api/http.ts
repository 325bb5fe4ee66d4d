import { ApiProblem, Unreachable } from './problem'
import { Session, type SessionState } from './session'
import type { SessionAnswer } from './types'

const sessionPath = '/api/v1/auth/session'
const readAttempts = 3

/** Sends a request and gives the answer when it is a good one. Throws ApiProblem, Unreachable, or what an abort throws. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path, { credentials: 'same-origin', ...init })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Unreachable(error)
  }
  if (response.ok || response.status === 304) return response
  throw await problemOf(response)
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const after = Number(response.headers.get('Retry-After') ?? Number.NaN)
  let body: Record<string, unknown> = {}
  try {
    body = (await response.json()) as Record<string, unknown>
  } catch {
    // A proxy's page: the status says what there is to say.
  }
  return new ApiProblem(response.status, body, Number.isFinite(after) ? after : undefined)
}

async function askSession(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<SessionAnswer | null> {
  const headers: Record<string, string> = { 'X-Requested-By': 'storefront', Accept: 'application/json' }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  // keepalive: the new cookie must arrive even when the page is left meanwhile.
  const response = await send(sessionPath + path, { method, headers, keepalive: true, body: body === undefined ? undefined : JSON.stringify(body) })
  return response.status === 204 ? null : ((await response.json()) as { data: SessionAnswer }).data
}

const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('kontor-session')

// Web Locks need a secure context; where there is none, the gateway's second answer to the same cookie has to do.
const alone = <T>(name: string, work: () => Promise<T>): Promise<T> =>
  typeof navigator !== 'undefined' && navigator.locks ? (navigator.locks.request(name, work) as Promise<T>) : work()

export const session = new Session({
  ask: askSession,
  alone: (work) => alone('kontor-session', work),
  tell: (state) => channel?.postMessage(state),
  now: () => Date.now(),
})

channel?.addEventListener('message', (event: MessageEvent<SessionState>) => session.hear(event.data))

const longestPause = 30_000

/** Asks who is signed in until somebody has an answer: a service that was away when the page opened costs nobody the session. */
export async function begin(): Promise<void> {
  for (let wait = 1000; !(await session.start()); wait = Math.min(wait * 2, longestPause)) {
    await pause(wait)
    if (session.state.status === 'in') return
  }
}

/** Work that only one tab may do at a time. */
export const inTurn = alone

export interface Request {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
  /** For everybody: it waits for no session. */
  open?: boolean
}

/** A call to the API as whoever is signed in; an expired token is exchanged and the call made again. */
export async function request(path: string, { method = 'GET', body, headers, signal, open = false }: Request = {}): Promise<Response> {
  const all: Record<string, string> = { Accept: 'application/json', ...headers }
  if (body !== undefined) all['Content-Type'] = 'application/json'
  const init: RequestInit = { method, headers: all, signal, body: body === undefined ? undefined : JSON.stringify(body) }

  for (let attempt = 1; ; attempt++) {
    try {
      return open ? await send(path, init) : await authorised(path, init, all)
    } catch (error) {
      const passing = error instanceof Unreachable || (error instanceof ApiProblem && [502, 503, 504].includes(error.status))
      if (method !== 'GET' || !passing || attempt >= readAttempts || signal?.aborted) throw error
      await pause(attempt * 400, signal)
    }
  }
}

async function authorised(path: string, init: RequestInit, headers: Record<string, string>): Promise<Response> {
  const token = await session.token()
  if (token === null) return await send(path, init)
  try {
    return await send(path, { ...init, headers: { ...headers, Authorization: `Bearer ${token}` } })
  } catch (error) {
    if (!(error instanceof ApiProblem && error.status === 401)) throw error
    const next = await session.refresh(token)
    if (next.status !== 'in') throw error
    return await send(path, { ...init, headers: { ...headers, Authorization: `Bearer ${next.token}` } })
  }
}

/** Rejects when the signal says so. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds)
    function done() {
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    function stop() {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}
