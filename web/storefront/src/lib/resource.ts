import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import { session } from '../api/http'

interface Entry {
  data?: unknown
  error?: unknown
  at: number
}

const most = 200
const fresh = 2_000
const cache = new Map<string, Entry>()
const listeners = new Set<() => void>()

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function put(key: string, entry: Entry): void {
  cache.delete(key)
  cache.set(key, entry)
  if (cache.size > most) cache.delete(cache.keys().next().value!)
  for (const listener of listeners) listener()
}

let user: string | undefined
let generation = 0
session.subscribe(() => {
  const next = session.state.status === 'in' ? session.state.user.id : undefined
  if (next === user) return
  const left = user !== undefined
  user = next
  // What nobody in particular saw is for everybody.
  if (!left) return
  // What one saw is not for another; the page that is open asks again.
  cache.clear()
  generation++
  for (const listener of listeners) listener()
})

export interface Resource<T> {
  data?: T
  /** The last attempt failed; there may be older data. */
  error?: unknown
  reload: () => void
  /** What is known better than by asking. */
  set: (data: T) => void
}

/** What an address holds: what was seen before at once, then what is there now. `key` null asks nothing. */
export function useResource<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [turn, setTurn] = useState(0)
  const entry = useSyncExternalStore(subscribe, () => (key === null ? undefined : cache.get(key)))

  const cleared = useSyncExternalStore(subscribe, () => generation)

  useEffect(() => {
    if (key === null) return
    const known = cache.get(key)
    if (turn === 0 && known && known.error === undefined && Date.now() - known.at < fresh) return
    const abort = new AbortController()
    load(abort.signal).then(
      (data) => abort.signal.aborted || put(key, { data, at: Date.now() }),
      (error: unknown) => abort.signal.aborted || put(key, { data: cache.get(key)?.data, error, at: Date.now() }),
    )
    return () => abort.abort()
    // `load` is a new function each time and says the same for the same key.
  }, [key, turn, cleared])

  const reload = useCallback(() => setTurn((n) => n + 1), [])
  const set = useCallback((data: T) => key !== null && put(key, { data, at: Date.now() }), [key])
  return { data: entry?.data as T | undefined, error: entry?.error, reload, set: set as (data: T) => void }
}
