import { type FormEvent, useEffect, useState } from 'react'
import { categories, products } from '../api/shop'
import { plural } from '../lib/format'
import { Link, useQuery } from '../lib/router'
import { useResource } from '../lib/resource'
import { useTitle } from '../lib/state'
import { Button, ButtonLink, Empty, Hidden, Select, Trouble } from '../ui/ui'
import ui from '../ui/ui.module.css'
import { Grid, GridSkeleton } from './Grid'
import styles from './products.module.css'

const onePage = 24

export function Products() {
  useTitle('Products')
  const [query, change] = useQuery()
  const search = query.get('search') ?? ''
  const category = query.get('category') ?? ''
  const sort = query.get('sort') ?? ''
  const cursor = query.get('cursor') ?? ''
  const [text, setText] = useState(search)
  useEffect(() => setText(search), [search])

  const shelves = useResource('categories', categories)
  const found = useResource(`products?${query}`, (signal) => products({ search, category, sort, cursor, limit: onePage }, signal))
  const refine = (changes: Record<string, string | undefined>) => change({ ...changes, cursor: undefined })

  const submit = (event: FormEvent) => {
    event.preventDefault()
    refine({ search: text.trim() })
  }

  return (
    <>
      <div className={styles.head}>
        <h1 tabIndex={-1}>Products</h1>
        <p className={styles.count}>
          <span role="status">{found.data ? plural(found.data.total, 'product', 'products') : ' '}</span>
        </p>
      </div>

      <div className={styles.tools}>
        <form role="search" className={styles.search} onSubmit={submit}>
          <label className={ui.label} htmlFor="search">
            Search
          </label>
          <div>
            <input id="search" type="search" className={ui.input} value={text} placeholder="Mug, lamp, radio…" maxLength={100} onChange={(event) => setText(event.target.value)} />
            <Button type="submit">Search</Button>
          </div>
        </form>
        <Select
          label="Sort by"
          value={sort}
          onChange={(value) => refine({ sort: value })}
          options={[
            ['', 'Number'],
            ['price', 'Price, lowest first'],
            ['-price', 'Price, highest first'],
          ]}
        />
      </div>

      <nav className={styles.shelves} aria-label="Shelves">
        <Shelf id="" name="Everything" active={category} query={query} />
        {shelves.data?.map(({ id, name }) => <Shelf key={id} id={id} name={name} active={category} query={query} />)}
      </nav>

      {found.error && !found.data ? (
        <Trouble error={found.error} onRetry={found.reload} />
      ) : !found.data ? (
        <GridSkeleton count={12} />
      ) : found.data.items.length === 0 ? (
        <Empty title="Nothing like that on our shelves" level={2}>
          <p>{search ? `Nothing has “${search}” in its name.` : 'This shelf is empty.'}</p>
          <ButtonLink to="/products" look="quiet">
            See everything
          </ButtonLink>
        </Empty>
      ) : (
        <Grid products={found.data.items} level={2} />
      )}

      {found.data && (cursor || found.data.next) && (
        <nav className={styles.pages} aria-label="Pages">
          {cursor ? (
            <Button look="quiet" onClick={() => change({ cursor: undefined })}>
              First page
            </Button>
          ) : (
            <span />
          )}
          {found.data.next && (
            <Button look="quiet" onClick={() => change({ cursor: found.data!.next })}>
              Next page <Hidden>of products</Hidden>
            </Button>
          )}
        </nav>
      )}
    </>
  )
}

function Shelf({ id, name, active, query }: { id: string; name: string; active: string; query: URLSearchParams }) {
  const next = new URLSearchParams(query)
  next.delete('cursor')
  if (id) next.set('category', id)
  else next.delete('category')
  const text = next.toString()
  return (
    <Link to={text ? `/products?${text}` : '/products'} aria-current={id === active ? 'true' : undefined}>
      {name}
    </Link>
  )
}
