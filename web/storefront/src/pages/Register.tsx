import { session } from '../api/http'
import { Link } from '../lib/router'
import { AccountForm } from './AccountForm'
import styles from './account.module.css'

export function Register() {
  return (
    <AccountForm
      title="Create an account"
      action="Create the account"
      empty={{ firstName: '', lastName: '', email: '', password: '' }}
      onSubmit={(person) => session.register({ ...person, email: person.email.trim() })}
      fields={(field) => (
        <>
          <div className={styles.pair}>
            {field('firstName', 'First name', 'given-name')}
            {field('lastName', 'Last name', 'family-name')}
          </div>
          {field('email', 'E-mail', 'email', { type: 'email' })}
          {field('password', 'Password', 'new-password', { type: 'password', hint: 'At least 8 characters, with a letter and a digit.' })}
        </>
      )}
      other={(next) => (
        <>
          Have one already? <Link to={`/login?next=${encodeURIComponent(next)}`}>Sign in</Link>
        </>
      )}
    />
  )
}
