import type { ReactNode } from 'react'
import { ApiProblem } from '../api/problem'
import type { User } from '../api/types'
import { usePlace } from '../lib/router'
import { useSession, useTitle } from '../lib/state'
import { ButtonLink, Empty, Loading, Row, Skeleton, Trouble } from '../ui/ui'
import { NotAllowed } from './NotAllowed'
import { NotFound } from './NotFound'

/** Lets in who is signed in, and tells the others where the door is. */
export function Gate({ what, children }: { what: string; children: (user: User) => ReactNode }) {
  const session = useSession()
  const { path, search } = usePlace()
  if (session.status === 'in') return children(session.user)
  if (session.status === 'unknown')
    return (
      <Loading>
        <Skeleton height="3rem" width="min(20rem, 70%)" />
      </Loading>
    )
  const next = encodeURIComponent(path + search)
  return <Door what={what} next={next} />
}

function Door({ what, next }: { what: string; next: string }) {
  useTitle('Sign in')
  return (
    <Empty title="First, who are you?">
      <p>{what}</p>
      <Row>
        <ButtonLink to={`/login?next=${next}`}>Sign in</ButtonLink>
        <ButtonLink to={`/register?next=${next}`} look="quiet">
          Create an account
        </ButtonLink>
      </Row>
    </Empty>
  )
}

/** A whole page that could not be had. */
export function Failed({ error, onRetry, missing }: { error: unknown; onRetry: () => void; missing?: string }) {
  if (error instanceof ApiProblem && error.status === 404) return <NotFound what={missing} />
  if (error instanceof ApiProblem && error.status === 403) return <NotAllowed />
  return (
    <Empty title="That did not work">
      <Trouble error={error} onRetry={onRetry} />
    </Empty>
  )
}
