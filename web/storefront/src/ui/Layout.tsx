import { type ReactNode, useState } from 'react'
import { session } from '../api/http'
import { messageOf } from '../api/problem'
import { countOf } from '../lib/cart'
import { Link, navigate, usePlace } from '../lib/router'
import { tell, useCart, useNotice, useSession } from '../lib/state'
import styles from './layout.module.css'
import { Button, Hidden } from './ui'

export function Layout({ children }: { children: ReactNode }) {
  const { lines } = useCart()
  const state = useSession()
  const notice = useNotice()
  const { path, search } = usePlace()
  const [leaving, setLeaving] = useState(false)
  const count = countOf(lines)

  const leave = async () => {
    setLeaving(true)
    try {
      await session.signOut()
      navigate('/')
      tell('You are signed out.')
    } catch (error) {
      tell(messageOf(error))
    } finally {
      setLeaving(false)
    }
  }

  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#content">
        Skip to the content
      </a>
      <header className={styles.header}>
        <Link to="/" className={styles.brand} aria-label="Kontor, home">
          <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path d="M9 7v18M9 17 22 7M13.5 14 23 25" />
          </svg>
          Kontor
        </Link>
        <nav className={styles.nav} aria-label="Main">
          <Link to="/products">Products</Link>
          {state.status === 'in' && <Link to="/orders">Orders</Link>}
        </nav>
        <div className={styles.account}>
          {state.status === 'in' ? (
            <>
              <Link to="/profile" className={styles.person}>
                {state.user.firstName}
                <Hidden>, your profile</Hidden>
              </Link>
              <Button look="plain" busy={leaving} onClick={leave}>
                Sign out
              </Button>
            </>
          ) : state.status === 'out' ? (
            <Link to={`/login${path === '/login' || path === '/register' || path === '/' ? '' : `?next=${encodeURIComponent(path + search)}`}`}>Sign in</Link>
          ) : (
            <span className={styles.unknown} aria-hidden="true" />
          )}
          <Link to="/cart" className={styles.cart}>
            Cart
            <span className={styles.count} data-empty={count === 0 || undefined}>
              {count} <Hidden>{count === 1 ? 'thing' : 'things'}</Hidden>
            </span>
          </Link>
        </div>
      </header>
      <main id="content" className={styles.main} tabIndex={-1}>
        {children}
      </main>
      <footer className={styles.footer}>
        <p>Kontor — good things, plainly sold.</p>
        <p>
          A shop on <span>DaprPlatform</span>. <a href="/swagger">Its API</a>
        </p>
      </footer>
      <div className={styles.notice} role="status" data-shown={notice !== '' || undefined}>
        {notice}
      </div>
    </div>
  )
}
