import type { PlaceOrderBody } from '../api/types'

export interface CartLine {
  readonly id: string
  readonly name: string
  readonly priceMinor: number
  readonly currency: string
  readonly quantity: number
}

/** An order that was sent and whose answer nobody has seen. The same key with the same body is the same order. */
export interface PendingOrder {
  readonly key: string
  readonly user: string
  readonly body: PlaceOrderBody
}

export interface CartState {
  readonly lines: readonly CartLine[]
  /** Whose basket at the gateway has these lines. */
  readonly owner?: string
  /** Changed since the gateway had them. */
  readonly dirty?: boolean
  readonly pending?: PendingOrder
}

/** Where it is kept; tests bring their own. */
export interface CartStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

export const mostOfOne = 100
const storageKey = 'kontor.cart'
const nothing: CartState = { lines: [] }

/** The cart of this browser, shared by its tabs and kept over reloads. What was sent and not answered is kept with it. */
export class Cart {
  readonly #storage: CartStorage
  readonly #listeners = new Set<() => void>()
  #state: CartState

  constructor(storage: CartStorage) {
    this.#storage = storage
    this.#state = read(storage)
  }

  get state(): CartState {
    return this.#state
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Another tab may have changed it. */
  reload(): void {
    this.#show(read(this.#storage))
  }

  add(product: Omit<CartLine, 'quantity'>, quantity: number): void {
    const known = this.#state.lines.find((line) => line.id === product.id)
    const line = { ...product, quantity: Math.min((known?.quantity ?? 0) + quantity, mostOfOne) }
    this.#lines(known ? this.#state.lines.map((other) => (other.id === product.id ? line : other)) : [...this.#state.lines, line])
  }

  /** 0 takes it out. */
  setQuantity(id: string, quantity: number): void {
    const wanted = Math.max(0, Math.min(Math.trunc(quantity), mostOfOne))
    this.#lines(this.#state.lines.flatMap((line) => (line.id !== id ? [line] : wanted === 0 ? [] : [{ ...line, quantity: wanted }])))
  }

  /** Prices and names as they are now. */
  reprice(products: readonly Omit<CartLine, 'quantity'>[]): void {
    const known = new Map(products.map((product) => [product.id, product]))
    const lines = this.#state.lines.map((line) => ({ ...line, ...known.get(line.id) }))
    if (JSON.stringify(lines) !== JSON.stringify(this.#state.lines)) this.#save({ ...this.#state, lines })
  }

  clear(): void {
    this.#save({ lines: [] })
  }

  /** The order that is to be sent: the one that waits for its answer, if there is one, so that no second key is made for the same purchase. */
  begin(user: string, body: PlaceOrderBody, newKey: () => string): PendingOrder {
    this.reload()
    const waiting = this.#state.pending
    if (waiting && waiting.user === user) return waiting
    const pending = { key: newKey(), user, body }
    this.#save({ ...this.#state, pending })
    return pending
  }

  /** The answer was seen. An order that was placed empties the cart. */
  settle(key: string, placed: boolean): void {
    this.reload()
    if (this.#state.pending?.key !== key) return
    const { pending: _, ...rest } = this.#state
    this.#save(placed ? { ...rest, lines: [], dirty: rest.owner !== undefined } : rest)
  }

  /** The gateway has these lines for that user now; all but what was changed while it got them, when `dirty`. */
  synced(owner: string, lines: readonly CartLine[], dirty = false): void {
    this.#save({ ...this.#state, lines, owner, dirty })
  }

  #lines(lines: readonly CartLine[]): void {
    this.#save({ ...this.#state, lines, dirty: true })
  }

  #save(state: CartState): void {
    try {
      this.#storage.setItem(storageKey, JSON.stringify(state))
    } catch {
      // A full or forbidden storage: the cart lives as long as the page.
    }
    this.#show(state)
  }

  #show(state: CartState): void {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

/** Both carts in one, of what is in both the larger number. */
export function merge(ours: readonly CartLine[], theirs: readonly CartLine[]): CartLine[] {
  const merged = new Map(theirs.map((line) => [line.id, line]))
  for (const line of ours) merged.set(line.id, { ...line, quantity: Math.max(line.quantity, merged.get(line.id)?.quantity ?? 0) })
  return [...merged.values()]
}

export const countOf = (lines: readonly CartLine[]): number => lines.reduce((sum, line) => sum + line.quantity, 0)
export const totalOf = (lines: readonly CartLine[]): number => lines.reduce((sum, line) => sum + line.quantity * line.priceMinor, 0)

function read(storage: CartStorage): CartState {
  let state: unknown
  try {
    state = JSON.parse(storage.getItem(storageKey) ?? 'null')
  } catch {
    return nothing
  }
  if (typeof state !== 'object' || state === null || !Array.isArray((state as CartState).lines)) return nothing
  const lines = (state as CartState).lines.filter(isLine)
  return { ...(state as CartState), lines }
}

const isLine = (line: unknown): line is CartLine => {
  const { id, name, priceMinor, currency, quantity } = (line ?? {}) as Partial<CartLine>
  return typeof id === 'string' && typeof name === 'string' && Number.isSafeInteger(priceMinor) && typeof currency === 'string' && Number.isInteger(quantity) && quantity! > 0
}
