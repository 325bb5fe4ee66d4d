import type { Product } from '../api/types'
import { money } from '../lib/money'
import { Link } from '../lib/router'
import { Art } from '../ui/Art'
import { Loading, Skeleton } from '../ui/ui'
import styles from './grid.module.css'

export function Grid({ products, level }: { products: readonly Product[]; level: 2 | 3 }) {
  const Name = `h${level}` as const
  return (
    <ul className={styles.grid}>
      {products.map((product) => (
        <li key={product.id} className={styles.card}>
          <Art id={product.id} name={product.name} />
          <Name className={styles.name}>
            <Link to={`/products/${encodeURIComponent(product.id)}`}>{product.name}</Link>
          </Name>
          <p className={styles.price}>
            {money(product.priceMinor, product.currency)}
            {product.available <= 0 && <span className={styles.gone}>Sold out</span>}
          </p>
        </li>
      ))}
    </ul>
  )
}

export const GridSkeleton = ({ count }: { count: number }) => (
  <Loading>
    <div className={styles.grid}>
      {Array.from({ length: count }, (_, i) => (
        <div key={i} className={styles.card}>
          <Skeleton ratio="4 / 5" />
          <Skeleton height="1.4rem" width="70%" />
          <Skeleton height="1.2rem" width="35%" />
        </div>
      ))}
    </div>
  </Loading>
)
