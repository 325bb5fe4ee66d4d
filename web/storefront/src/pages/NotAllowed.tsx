import { useTitle } from '../lib/state'
import { ButtonLink, Empty } from '../ui/ui'

export function NotAllowed() {
  useTitle('Not allowed')
  return (
    <Empty title="This is not for your account">
      <p>You are signed in, but what you asked for is for others. If that is a mistake, sign in with another account.</p>
      <ButtonLink to="/">Back to the shop</ButtonLink>
    </Empty>
  )
}
