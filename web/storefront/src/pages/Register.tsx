import { type FormEvent, useEffect, useState } from 'react'
import { session } from '../api/http'
import { fieldErrors } from '../api/problem'
import { Link, navigate, useQuery } from '../lib/router'
import { useSession, useTitle } from '../lib/state'
import { Button, Field, Trouble } from '../ui/ui'
import { nextOf } from './Login'
import styles from './account.module.css'

export function Register() {
  useTitle('Create an account')
  const [query] = useQuery()
  const state = useSession()
  const next = nextOf(query)
  const [person, setPerson] = useState({ firstName: '', lastName: '', email: '', password: '' })
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
      await session.register({ ...person, email: person.email.trim() })
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }

  const field = (name: keyof typeof person, label: string, complete: string, more: { type?: string; hint?: string } = {}) => (
    <Field label={label} autoComplete={complete} required value={person[name]} wrong={fieldErrors(error, name)} onChange={(event) => setPerson({ ...person, [name]: event.target.value })} {...more} />
  )

  return (
    <div className={styles.narrow}>
      <h1 tabIndex={-1}>Create an account</h1>
      <form className={styles.form} noValidate onSubmit={(event) => void submit(event)}>
        {Boolean(error) && <Trouble error={error} />}
        <div className={styles.pair}>
          {field('firstName', 'First name', 'given-name')}
          {field('lastName', 'Last name', 'family-name')}
        </div>
        {field('email', 'E-mail', 'email', { type: 'email' })}
        {field('password', 'Password', 'new-password', { type: 'password', hint: 'At least 8 characters, with a letter and a digit.' })}
        <Button type="submit" busy={busy}>
          Create the account
        </Button>
      </form>
      <p>
        Have one already? <Link to={`/login?next=${encodeURIComponent(next)}`}>Sign in</Link>
      </p>
    </div>
  )
}
