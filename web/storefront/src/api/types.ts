import type { components } from './generated/schema'

type Schemas = components['schemas']

/**
 * What an answer really holds. The document marks nothing as required; the gateway leaves out what is null and nothing else.
 */
export type Solid<T> = T extends readonly (infer U)[]
  ? Solid<U>[]
  : T extends object
    ? { [K in keyof T as null extends T[K] ? never : K]-?: Solid<Exclude<T[K], undefined>> } & {
        [K in keyof T as null extends T[K] ? K : never]?: Solid<Exclude<T[K], undefined | null>>
      }
    : T

export type Product = Solid<Schemas['ProductView']>
export type Category = Solid<Schemas['CategoryView']>
export type Order = Solid<Schemas['OrderView']>
export type StatusChange = Solid<Schemas['StatusView']>
export type Payment = Solid<Schemas['PaymentView']>
export type Refund = Solid<Schemas['RefundView']>
export type TestCard = Solid<Schemas['TestCardView']>
export type Method = Solid<Schemas['MethodView']>
export type CardToken = Solid<Schemas['TokenView']>
export type User = Solid<Schemas['UserView']>
export type StockCheck = Solid<Schemas['StockCheckView']>
export type Basket = Solid<Schemas['BasketView']>
export type SessionAnswer = Solid<Schemas['BrowserSessionView']>
export type PageInfo = Solid<Schemas['PageView']>
export type PlaceOrderBody = Schemas['PlaceOrderBody']
export type ProfileBody = Schemas['ProfileBody']
export type CardBody = Schemas['CardBody']

export interface List<T> {
  items: T[]
  total: number
  /** The keyset cursor of the page behind this one; absent on the last. */
  next?: string
}
