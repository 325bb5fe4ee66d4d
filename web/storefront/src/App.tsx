import { Component, type ReactNode } from 'react'
import { match, useArrival, usePlace } from './lib/router'
import { Cart } from './pages/Cart'
import { Checkout } from './pages/Checkout'
import { Gate } from './pages/Gate'
import { Home } from './pages/Home'
import { Login } from './pages/Login'
import { NotAllowed } from './pages/NotAllowed'
import { NotFound } from './pages/NotFound'
import { Order } from './pages/Order'
import { Orders } from './pages/Orders'
import { Product } from './pages/Product'
import { Products } from './pages/Products'
import { Profile } from './pages/Profile'
import { Register } from './pages/Register'
import { Layout } from './ui/Layout'
import { Button, Empty } from './ui/ui'

const routes: readonly (readonly [string, (values: Record<string, string>) => ReactNode])[] = [
  ['/', () => <Home />],
  ['/products', () => <Products />],
  ['/products/:sku', ({ sku }) => <Product key={sku} sku={sku!} />],
  ['/cart', () => <Cart />],
  ['/checkout', () => <Gate what="Sign in to order. Your cart stays as it is.">{(user) => <Checkout user={user} />}</Gate>],
  ['/orders', () => <Gate what="Sign in to see your orders.">{() => <Orders />}</Gate>],
  ['/orders/:id', ({ id }) => <Gate what="Sign in to see this order.">{() => <Order key={id} id={id!} />}</Gate>],
  ['/profile', () => <Gate what="Sign in to see your profile.">{() => <Profile />}</Gate>],
  ['/login', () => <Login />],
  ['/register', () => <Register />],
  ['/not-allowed', () => <NotAllowed />],
]

function Page() {
  const { path } = usePlace()
  for (const [pattern, show] of routes) {
    const values = match(pattern, path)
    if (values) return show(values)
  }
  return <NotFound />
}

/** A page that breaks leaves the shop standing. */
class Safe extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false }

  static getDerivedStateFromError() {
    return { broken: true }
  }

  override render() {
    if (!this.state.broken) return this.props.children
    return (
      <Empty title="This page broke">
        <p>That is our fault. Your cart and your orders are as they were.</p>
        <Button onClick={() => window.location.reload()}>Load it again</Button>
      </Empty>
    )
  }
}

export function App() {
  const { path } = usePlace()
  useArrival()
  return (
    <Layout>
      <Safe key={path}>
        <Page />
      </Safe>
    </Layout>
  )
}
