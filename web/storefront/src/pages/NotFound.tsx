import { useTitle } from '../lib/state'
import { ButtonLink, Empty } from '../ui/ui'

export function NotFound({ what = 'There is nothing at this address' }: { what?: string }) {
  useTitle('Not found')
  return (
    <Empty title={what}>
      <p>It may have moved, or it was never here. The shelves are this way.</p>
      <ButtonLink to="/products">See all products</ButtonLink>
    </Empty>
  )
}
