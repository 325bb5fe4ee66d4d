import { useState } from 'react'
import { categories, product as load } from '../api/shop'
import { countOf } from '../lib/cart'
import { formatNumber } from '../lib/format'
import { money } from '../lib/money'
import { Link } from '../lib/router'
import { useResource } from '../lib/resource'
import { cart, tell, useCart, useTitle } from '../lib/state'
import { Art } from '../ui/Art'
import { Button, ButtonLink, Loading, Quantity, Row, Skeleton } from '../ui/ui'
import { Failed } from './Gate'
import styles from './product.module.css'

const few = 5

export function Product({ sku }: { sku: string }) {
  const found = useResource(`product ${sku}`, (signal) => load(sku, signal))
  const shelves = useResource('categories', categories)
  const { lines } = useCart()
  const [quantity, setQuantity] = useState(1)
  const product = found.data
  useTitle(product?.name ?? 'Product')

  if (!product && found.error) return <Failed error={found.error} onRetry={found.reload} missing="We do not have this product" />
  if (!product)
    return (
      <Loading>
        <div className={styles.product}>
          <Skeleton ratio="4 / 5" />
          <div className={styles.words}>
            <Skeleton height="3rem" width="80%" />
            <Skeleton height="1.6rem" width="30%" />
            <Skeleton height="5rem" />
          </div>
        </div>
      </Loading>
    )

  const inCart = lines.find((line) => line.id === product.id)?.quantity ?? 0
  const shelf = shelves.data?.find(({ id }) => id === product.categoryId)
  const gone = product.available <= 0
  const add = () => {
    cart.add({ id: product.id, name: product.name, priceMinor: product.priceMinor, currency: product.currency }, quantity)
    setQuantity(1)
    tell(`${product.name} is in your cart. ${formatNumber(countOf(cart.state.lines))} in all.`)
  }

  return (
    <>
      <nav className={styles.trail} aria-label="Where you are">
        <Link to="/products">Products</Link>
        {shelf && (
          <>
            <span aria-hidden="true"> / </span>
            <Link to={`/products?category=${encodeURIComponent(shelf.id)}`}>{shelf.name}</Link>
          </>
        )}
      </nav>
      <article className={styles.product}>
        <Art id={product.id} name={product.name} />
        <div className={styles.words}>
          <h1 tabIndex={-1}>{product.name}</h1>
          <p className={styles.price}>{money(product.priceMinor, product.currency)}</p>
          {product.description && <p>{product.description}</p>}
          <p className={styles.stock} data-gone={gone || undefined}>
            {gone ? 'Sold out for now' : product.available <= few ? `Only ${product.available} left` : 'On our shelf'}
          </p>
          <Row>
            <Quantity value={quantity} name={product.name} onChange={setQuantity} />
            <Button disabled={gone} onClick={gone ? undefined : add}>
              Put in the cart
            </Button>
          </Row>
          {inCart > 0 && (
            <Row>
              <span>{formatNumber(inCart)} in your cart.</span>
              <ButtonLink to="/cart" look="plain">
                Go to the cart
              </ButtonLink>
            </Row>
          )}
          <dl className={styles.facts}>
            <div>
              <dt>Number</dt>
              <dd>{product.id}</dd>
            </div>
            <div>
              <dt>Delivery</dt>
              <dd>Free, everywhere</dd>
            </div>
          </dl>
        </div>
      </article>
    </>
  )
}
