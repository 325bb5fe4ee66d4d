import { orders } from '../api/shop'
import { formatDateTime, plural } from '../lib/format'
import { money } from '../lib/money'
import { Link, useQuery } from '../lib/router'
import { useResource } from '../lib/resource'
import { useTitle } from '../lib/state'
import { Button, ButtonLink, Empty, Hidden, Loading, Select, Skeleton, Status, statusNames } from '../ui/ui'
import { Failed } from './Gate'
import products from './products.module.css'
import styles from './orders.module.css'

const onePage = 20
const filters = ['PENDING', 'CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED', 'CANCELLED']

export function Orders() {
  useTitle('Orders')
  const [query, change] = useQuery()
  const status = filters.includes(query.get('status') ?? '') ? query.get('status')! : ''
  const cursor = query.get('cursor') ?? ''
  const found = useResource(`orders?${query}`, (signal) => orders({ status, cursor, limit: onePage }, signal))

  if (!found.data && found.error) return <Failed error={found.error} onRetry={found.reload} />
  return (
    <>
      <div className={products.head}>
        <h1 tabIndex={-1}>Orders</h1>
        <p className={products.count}>
          <span role="status">{found.data ? plural(found.data.total, 'order', 'orders') : ' '}</span>
        </p>
      </div>
      <div className={styles.tools}>
        <Select
          label="Show"
          value={status}
          onChange={(value) => change({ status: value, cursor: undefined })}
          options={[['', 'All orders'], ...filters.map((filter) => [filter, statusNames[filter]!] as const)]}
        />
      </div>
      {!found.data ? (
        <Loading>
          <div className={styles.list}>
            {Array.from({ length: 5 }, (_, i) => (
              <div key={i} className={styles.item}>
                <Skeleton height="3.2rem" />
              </div>
            ))}
          </div>
        </Loading>
      ) : found.data.items.length === 0 ? (
        <Empty title={status ? 'No orders like that' : 'You have not ordered anything yet'} level={2}>
          <ButtonLink to={status ? '/orders' : '/products'}>{status ? 'Show all orders' : 'See all products'}</ButtonLink>
        </Empty>
      ) : (
        <ul className={styles.list}>
          {found.data.items.map((order) => (
            <li key={order.id} className={styles.item}>
              <div>
                <h2>
                  <Link to={`/orders/${order.id}`}>Order no. {order.number}</Link>
                </h2>
                <p>{formatDateTime(order.createdAt)}</p>
              </div>
              <p className={styles.things}>{order.items.map((item) => `${item.quantity} × ${item.name}`).join(', ')}</p>
              <Status status={order.status} />
              <p className={styles.sum}>{money(order.totalMinor, order.currency)}</p>
            </li>
          ))}
        </ul>
      )}
      {found.data && (cursor || found.data.next) && (
        <nav className={products.pages} aria-label="Pages">
          {cursor ? (
            <Button look="quiet" onClick={() => change({ cursor: undefined })}>
              Newest orders
            </Button>
          ) : (
            <span />
          )}
          {found.data.next && (
            <Button look="quiet" onClick={() => change({ cursor: found.data!.next })}>
              Older <Hidden>orders</Hidden>
            </Button>
          )}
        </nav>
      )}
    </>
  )
}
