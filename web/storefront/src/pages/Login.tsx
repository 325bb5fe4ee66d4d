import { session } from '../api/http'
import { Link } from '../lib/router'
import { AccountForm } from './AccountForm'

export function Login() {
  return (
    <AccountForm
      title="Sign in"
      action="Sign in"
      empty={{ email: '', password: '' }}
      onSubmit={({ email, password }) => session.signIn(email.trim(), password)}
      fields={(field) => (
        <>
          {field('email', 'E-mail', 'username', { type: 'email' })}
          {field('password', 'Password', 'current-password', { type: 'password' })}
        </>
      )}
      other={(next) => (
        <>
          New here? <Link to={`/register?next=${encodeURIComponent(next)}`}>Create an account</Link>
        </>
      )}
    />
  )
}
