import { type FormEvent, useEffect, useState } from 'react'
import { session } from '../api/http'
import { fieldErrors } from '../api/problem'
import { Link, navigate, useQuery } from '../lib/router'
import { useSession, useTitle } from '../lib/state'
import { Button, Field, Trouble } from '../ui/ui'
import styles from './account.module.css'

/** Where to go once signed in: a path of this shop, nothing else. */
export function nextOf(query: URLSearchParams): string {
  const next = query.get('next') ?? ''
  return /^\/(?![/\\])/.test(next) ? next : '/'
}

export function Login() {
  useTitle('Sign in')
  const [query] = useQuery()
  const state = useSession()
  const next = nextOf(query)
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()

  useEffect(() => {
    if (state.status === 'in') navigate(next, { replace: true })
  }, [state.status, next])

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setError(undefined)
    try {
      await session.signIn(email.trim(), password)
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  return (
    <div className={styles.narrow}>
      <h1 tabIndex={-1}>Sign in</h1>
      <form className={styles.form} noValidate onSubmit={(event) => void submit(event)}>
        {Boolean(error) && <Trouble error={error} />}
        <Field label="E-mail" type="email" autoComplete="username" required value={email} wrong={fieldErrors(error, 'email')} onChange={(event) => setEmail(event.target.value)} />
        <Field
          label="Password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          wrong={fieldErrors(error, 'password')}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Button type="submit" busy={busy}>
          Sign in
        </Button>
      </form>
      <p>
        New here? <Link to={`/register?next=${encodeURIComponent(next)}`}>Create an account</Link>
      </p>
    </div>
  )
}
