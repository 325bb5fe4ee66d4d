import { type ReactNode, useEffect, useState } from 'react'
import { fieldErrors } from '../api/problem'
import { navigate, useQuery } from '../lib/router'
import { useSession, useTitle } from '../lib/state'
import { useSubmit } from '../lib/submit'
import { Button, Field, Trouble } from '../ui/ui'
import styles from './account.module.css'

/** Where to go once signed in: a path of this shop, nothing else. */
export function nextOf(query: URLSearchParams): string {
  const next = query.get('next') ?? ''
  return /^\/(?![/\\])/.test(next) ? next : '/'
}

export type FieldOf<T> = (name: keyof T & string, label: string, complete: string, more?: { type?: string; hint?: string }) => ReactNode

interface Props<T> {
  title: string
  action: string
  empty: T
  onSubmit: (values: T) => Promise<unknown>
  fields: (field: FieldOf<T>) => ReactNode
  /** Below the form: the way to the other one, with where to go afterwards. */
  other: (next: string) => ReactNode
}

/** A form that ends with somebody signed in, who then goes where they were going. */
export function AccountForm<T extends Record<string, string>>({ title, action, empty, onSubmit, fields, other }: Props<T>) {
  useTitle(title)
  const [query] = useQuery()
  const state = useSession()
  const next = nextOf(query)
  const [values, setValues] = useState(empty)
  const { busy, error, submit } = useSubmit(() => onSubmit(values))

  useEffect(() => {
    if (state.status === 'in') navigate(next, { replace: true })
  }, [state.status, next])

  const field: FieldOf<T> = (name, label, complete, more = {}) => (
    <Field label={label} autoComplete={complete} required value={values[name]} wrong={fieldErrors(error, name)} onChange={(event) => setValues({ ...values, [name]: event.target.value })} {...more} />
  )

  return (
    <div className={styles.narrow}>
      <h1 tabIndex={-1}>{title}</h1>
      <form className={styles.form} noValidate onSubmit={(event) => void submit(event)}>
        {Boolean(error) && <Trouble error={error} />}
        {fields(field)}
        <Button type="submit" busy={busy}>
          {action}
        </Button>
      </form>
      <p>{other(next)}</p>
    </div>
  )
}
