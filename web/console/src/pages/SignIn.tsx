import { useState, type FormEvent } from 'react';
import { change } from '../api/api';
import { cx, ErrorBox, Field, kit } from '../ui/kit';
import css from './pages.module.css';

export function SignInPage({ onSignedIn }: { onSignedIn: () => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (e: FormEvent<HTMLFormElement>): Promise<void> => {
    e.preventDefault();
    const form = new FormData(e.currentTarget);
    setBusy(true);
    setError(undefined);
    try {
      await change('POST', '/session', { name: form.get('name'), password: form.get('password') });
      onSignedIn();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className={css['signIn']}>
      <form onSubmit={(e) => void submit(e)}>
        <h1>Sign in to the console</h1>
        <Field label="Name">
          <input className={kit['input']} name="name" autoComplete="username" required autoFocus spellCheck={false} />
        </Field>
        <Field label="Password">
          <input className={kit['input']} name="password" type="password" autoComplete="current-password" required />
        </Field>
        {error !== undefined && <ErrorBox error={error} />}
        <button type="submit" className={cx(kit['button'], kit['primary'])} disabled={busy}>Sign in</button>
        <p className={kit['note']}>Accounts are made with ./platform console user add NAME --role ROLE.</p>
      </form>
    </main>
  );
}
