import { useEffect, useState } from 'react'
import { session } from '../api/http'
import { ApiProblem, fieldErrors } from '../api/problem'
import { profile, saveProfile } from '../api/shop'
import { formatDate } from '../lib/format'
import { useResource } from '../lib/resource'
import { tell, useTitle } from '../lib/state'
import { useSubmit } from '../lib/submit'
import { Button, Field, Loading, Row, Skeleton, Trouble } from '../ui/ui'
import { Failed } from './Gate'
import styles from './account.module.css'

export function Profile() {
  useTitle('Profile')
  const found = useResource('profile', profile)
  const [draft, setDraft] = useState<{ firstName: string; lastName: string; phone: string; address: string }>()
  const [etag, setEtag] = useState('')
  const loaded = found.data
  const { busy, error, setError, submit } = useSubmit(async () => {
    if (!draft) return
    const saved = await saveProfile({ ...draft, phone: draft.phone || null, address: draft.address || null }, etag)
    found.set(saved)
    setEtag(saved.etag)
    tell('Saved.')
  })

  useEffect(() => {
    // What is being typed is not taken away by a newer version.
    if (!loaded || draft) return
    const { firstName, lastName, phone = '', address = '' } = loaded.value
    setDraft({ firstName, lastName, phone, address })
    setEtag(loaded.etag)
  }, [loaded, draft])

  if (!loaded && found.error) return <Failed error={found.error} onRetry={found.reload} />
  if (!loaded || !draft)
    return (
      <Loading>
        <div className={styles.narrow}>
          <Skeleton height="3rem" width="60%" />
          <Skeleton height="18rem" />
        </div>
      </Loading>
    )

  const outdated = error instanceof ApiProblem && error.status === 412
  const newest = async () => {
    setError(undefined)
    try {
      const now = await profile()
      found.set(now)
      setDraft(undefined)
    } catch (problem) {
      setError(problem)
    }
  }
  const everywhere = async () => {
    try {
      await session.signOut(true)
    } catch (problem) {
      setError(problem)
    }
  }

  const field = (name: keyof typeof draft, label: string, complete: string, type?: string) => (
    <Field label={label} autoComplete={complete} type={type} maxLength={200} value={draft[name]} wrong={fieldErrors(error, name)} onChange={(event) => setDraft({ ...draft, [name]: event.target.value })} />
  )

  return (
    <div className={styles.narrow}>
      <h1 tabIndex={-1}>Your profile</h1>
      <p className={styles.soft}>
        {loaded.value.email}, with us since {formatDate(loaded.value.createdAt)}
      </p>
      <form className={styles.form} noValidate onSubmit={(event) => void submit(event)}>
        {Boolean(error) && <Trouble error={error} />}
        {outdated && (
          <Button look="quiet" onClick={() => void newest()}>
            Show the newest version
          </Button>
        )}
        <div className={styles.pair}>
          {field('firstName', 'First name', 'given-name')}
          {field('lastName', 'Last name', 'family-name')}
        </div>
        {field('phone', 'Phone', 'tel', 'tel')}
        {field('address', 'Address for deliveries', 'street-address')}
        <Row>
          <Button type="submit" busy={busy}>
            Save
          </Button>
          <Button look="plain" onClick={() => void everywhere()}>
            Sign out everywhere
          </Button>
        </Row>
      </form>
    </div>
  )
}
