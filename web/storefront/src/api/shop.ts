import { request, type Request } from './http'
import { nextOf } from './links'
import type { Basket, CardBody, CardToken, Category, List, Method, Order, PageInfo, Payment, PlaceOrderBody, Product, ProfileBody, Refund, StockCheck, TestCard, User } from './types'

// One function for each call of the gateway that the shop makes.

async function one<T>(path: string, init?: Request): Promise<T> {
  return ((await (await request(path, init)).json()) as { data: T }).data
}

async function list<T>(path: string, query: Record<string, string | number | undefined>, init?: Request): Promise<List<T>> {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') parameters.set(name, String(value))
  const response = await request(`${path}?${parameters}`, init)
  const { data, page } = (await response.json()) as { data: T[]; page: PageInfo }
  return { items: data, total: page.total, next: page.nextCursor ?? nextOf(response.headers.get('Link')) }
}

const id = encodeURIComponent
const keyed = (key: string) => ({ 'Idempotency-Key': key })

export interface ProductQuery {
  search?: string
  category?: string
  sort?: string
  cursor?: string
  limit?: number
}

export const products = ({ category, ...query }: ProductQuery, signal?: AbortSignal) => list<Product>('/api/v1/inventory/products', { ...query, category_id: category }, { signal, open: true })
export const product = (sku: string, signal?: AbortSignal) => one<Product>(`/api/v1/inventory/products/${id(sku)}`, { signal, open: true })
export const categories = (signal?: AbortSignal) => one<Category[]>('/api/v1/inventory/categories?active_only=true', { signal, open: true })
export const checkStock = (items: { productId: string; quantity: number }[], signal?: AbortSignal) =>
  one<StockCheck>('/api/v1/inventory/check', { method: 'POST', body: { items }, signal, open: true })

export const methods = (signal?: AbortSignal) => one<Method[]>('/api/v1/payments/methods', { signal, open: true })
export const testCards = (signal?: AbortSignal) => one<TestCard[]>('/api/v1/payments/test-cards', { signal, open: true })
export const cardToken = (card: CardBody) => one<CardToken>('/api/v1/payments/tokens', { method: 'POST', body: { card } })

export const placeOrder = (body: PlaceOrderBody, key: string) => one<Order>('/api/v1/orders', { method: 'POST', body, headers: keyed(key) })
export const orders = (query: { status?: string; cursor?: string; limit?: number }, signal?: AbortSignal) => list<Order>('/api/v1/orders', query, { signal })
export const order = (orderId: string, signal?: AbortSignal) => one<Order>(`/api/v1/orders/${id(orderId)}`, { signal })
export const eventsOf = (orderId: string) => `/api/v1/orders/${id(orderId)}/events`
export const cancelOrder = (orderId: string, reason: string) => one<Order>(`/api/v1/orders/${id(orderId)}/cancel`, { method: 'POST', body: { reason } })
export const paymentsOf = async (orderId: string, signal?: AbortSignal) => (await list<Payment>('/api/v1/payments', { order_id: orderId, limit: 20 }, { signal })).items
export const refund = (paymentId: string, body: { amountMinor?: number; reason?: string }, key: string) =>
  one<Refund>(`/api/v1/payments/${id(paymentId)}/refund`, { method: 'POST', body, headers: keyed(key) })

export interface Versioned<T> {
  value: T
  etag: string
}

async function versioned<T>(path: string, init?: Request): Promise<Versioned<T>> {
  const response = await request(path, init)
  return { value: ((await response.json()) as { data: T }).data, etag: response.headers.get('ETag') ?? '' }
}

export const profile = (signal?: AbortSignal) => versioned<User>('/api/v1/users/profile', { signal })
export const saveProfile = (body: ProfileBody, etag: string) => versioned<User>('/api/v1/users/profile', { method: 'PUT', body, headers: { 'If-Match': etag } })
export const basket = (signal?: AbortSignal) => versioned<Basket>('/api/v1/basket', { signal })
export const saveBasket = (items: { productId: string; quantity: number }[], etag: string) =>
  versioned<Basket>('/api/v1/basket', { method: 'PUT', body: { items }, headers: { 'If-Match': etag } })
