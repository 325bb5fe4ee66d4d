import { useEffect, useSyncExternalStore } from 'react'
import { focusHeading } from './router'
import { session } from '../api/http'
import type { SessionState } from '../api/session'
import { keepBasket } from './basket'
import { Cart, type CartState } from './cart'

function storage(): Storage | Map<string, string> & { getItem(k: string): string | null; setItem(k: string, v: string): void } {
  try {
    return window.localStorage
  } catch {
    const map = new Map<string, string>()
    return Object.assign(map, { getItem: (k: string) => map.get(k) ?? null, setItem: (k: string, v: string) => void map.set(k, v) })
  }
}

export const cart = new Cart(storage())
window.addEventListener('storage', () => cart.reload())
keepBasket(cart)

export const useCart = (): CartState => useSyncExternalStore(cart.subscribe, () => cart.state)
export const useSession = (): SessionState => useSyncExternalStore(session.subscribe, () => session.state)

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} · Kontor` : 'Kontor'
  }, [title])
  // What was loading when the page was opened has its heading now.
  useEffect(() => {
    if (document.activeElement?.id === 'content') focusHeading()
  })
}

let notice = ''
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setTimeout> | undefined

/** A short word at the edge of the page, which a screen reader hears too. */
export function tell(text: string): void {
  notice = text
  clearTimeout(timer)
  if (text) timer = setTimeout(() => tell(''), 4000)
  for (const listener of listeners) listener()
}

export const useNotice = (): string =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => notice,
  )
