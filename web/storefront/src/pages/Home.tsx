import { categories, products } from '../api/shop'
import { plural } from '../lib/format'
import { Link } from '../lib/router'
import { useResource } from '../lib/resource'
import { useTitle } from '../lib/state'
import { Art } from '../ui/Art'
import { ButtonLink, Loading, Skeleton, Trouble } from '../ui/ui'
import { Grid, GridSkeleton } from './Grid'
import styles from './home.module.css'

export function Home() {
  useTitle('')
  const shelves = useResource('categories', categories)
  const picks = useResource('home', (signal) => products({ limit: 8 }, signal))
  const first = picks.data?.items[0]
  return (
    <>
      <section className={styles.hero}>
        <div className={styles.words}>
          <h1 tabIndex={-1}>Good things, plainly sold.</h1>
          <p>Things for the kitchen, the desk and the ear. Every price is the whole price, and you can watch each order from our shelf to your door.</p>
          <ButtonLink to="/products">See all products</ButtonLink>
        </div>
        <div className={styles.picture}>{first ? <Art id={first.id} name={first.name} /> : <Skeleton ratio="4 / 5" />}</div>
      </section>

      <section className={styles.section} aria-labelledby="shelves">
        <h2 id="shelves">Shelves</h2>
        {shelves.data ? (
          <ul className={styles.shelves}>
            {shelves.data.map((category) => (
              <li key={category.id}>
                <Link to={`/products?category=${encodeURIComponent(category.id)}`}>
                  <span>{category.name}</span>
                  <small>{plural(category.productCount, 'product', 'products')}</small>
                </Link>
              </li>
            ))}
          </ul>
        ) : shelves.error ? (
          <Trouble error={shelves.error} onRetry={shelves.reload} />
        ) : (
          <Loading>
            <div className={styles.shelves}>
              <Skeleton height="4.6rem" />
              <Skeleton height="4.6rem" />
            </div>
          </Loading>
        )}
      </section>

      <section className={styles.section} aria-labelledby="picks">
        <h2 id="picks">On the counter</h2>
        {picks.data ? <Grid products={picks.data.items} level={3} /> : picks.error ? <Trouble error={picks.error} onRetry={picks.reload} /> : <GridSkeleton count={8} />}
      </section>
    </>
  )
}
