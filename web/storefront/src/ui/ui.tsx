import { type ButtonHTMLAttributes, type CSSProperties, type InputHTMLAttributes, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { messageOf } from '../api/problem'
import { Link } from '../lib/router'
import { mostOfOne } from '../lib/cart'
import styles from './ui.module.css'

type Look = 'strong' | 'quiet' | 'danger' | 'plain'
const classOf = (look: Look) => (look === 'strong' ? styles.button : `${styles.button} ${styles[look]}`)

export function Button({ look = 'strong', busy = false, children, onClick, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: Look; busy?: boolean }) {
  return (
    // Not disabled while it works: the focus would be lost.
    <button type="button" {...rest} className={classOf(look)} aria-disabled={busy || rest.disabled || undefined} onClick={busy ? (event) => event.preventDefault() : onClick}>
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {children}
    </button>
  )
}

export const ButtonLink = ({ to, look = 'strong', children }: { to: string; look?: Look; children: ReactNode }) => (
  <Link to={to} className={classOf(look)}>
    {children}
  </Link>
)

type FieldProps = InputHTMLAttributes<HTMLInputElement> & { label: string; hint?: string; wrong?: string }

export function Field({ label, hint, wrong, ...rest }: FieldProps) {
  const id = useId()
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ')
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      {hint && (
        <span className={styles.hint} id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <input {...rest} id={id} className={styles.input} aria-invalid={wrong ? true : undefined} aria-describedby={described || undefined} />
      {wrong && (
        <span className={styles.wrong} id={`${id}-wrong`}>
          {wrong}
        </span>
      )}
    </div>
  )
}

export function Select({ label, value, onChange, options }: { label: string; value: string; onChange: (value: string) => void; options: readonly (readonly [string, string])[] }) {
  const id = useId()
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      <select id={id} className={styles.input} value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </div>
  )
}

export const Notice = ({ kind = 'good', children }: { kind?: 'good' | 'wait' | 'problem'; children: ReactNode }) => (
  <div className={styles.notice} data-kind={kind} role={kind === 'problem' ? 'alert' : 'status'}>
    {children}
  </div>
)

/** What went wrong, in words, and a way on. */
export const Trouble = ({ error, onRetry }: { error: unknown; onRetry?: () => void }) => (
  <Notice kind="problem">
    <p>{messageOf(error)}</p>
    {onRetry && (
      <Button look="quiet" onClick={onRetry}>
        Try again
      </Button>
    )}
  </Notice>
)

export const statusNames: Record<string, string> = {
  PENDING: 'Being checked',
  CONFIRMED: 'Confirmed',
  PROCESSING: 'Being packed',
  SHIPPED: 'On its way',
  DELIVERED: 'Delivered',
  CANCELLED: 'Cancelled',
  COMPLETED: 'Paid',
  FAILED: 'Failed',
  REFUNDED: 'Refunded',
  ATTENTION: 'Being looked at',
}

export const Status = ({ status }: { status: string }) => (
  <span className={styles.status} data-status={status}>
    {statusNames[status] ?? status}
  </span>
)

export const Skeleton = ({ height, width = '100%', ratio }: { height?: string; width?: string; ratio?: string }) => (
  <span className={styles.skeleton} style={{ height, width, aspectRatio: ratio } as CSSProperties} aria-hidden="true" />
)

/** Says once that something is loading; the grey shapes say nothing. */
export const Loading = ({ children }: { children: ReactNode }) => (
  <div aria-busy="true">
    <span className={styles.hidden} role="status">
      Loading
    </span>
    {children}
  </div>
)

export const Hidden = ({ children, live }: { children: ReactNode; live?: boolean }) => (
  <span className={styles.hidden} aria-live={live ? 'polite' : undefined}>
    {children}
  </span>
)

export const Empty = ({ title, children, level = 1 }: { title: string; children: ReactNode; level?: 1 | 2 }) => (
  <div className={styles.empty}>
    {level === 1 ? <h1 tabIndex={-1}>{title}</h1> : <h2>{title}</h2>}
    {children}
  </div>
)

export function Quantity({ value, name, onChange, least = 1 }: { value: number; name: string; onChange: (value: number) => void; least?: number }) {
  const [text, setText] = useState(String(value))
  useEffect(() => setText(String(value)), [value])
  const commit = () => {
    const number = Number.parseInt(text, 10)
    if (Number.isInteger(number) && number >= least && number <= mostOfOne) onChange(number)
    else setText(String(value))
  }
  return (
    <span className={styles.quantity} role="group" aria-label={`Quantity of ${name}`}>
      <button type="button" aria-label={`One less of ${name}`} disabled={value <= least} onClick={() => onChange(value - 1)}>
        −
      </button>
      <input
        aria-label={`Quantity of ${name}`}
        inputMode="numeric"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return
          event.preventDefault()
          commit()
        }}
      />
      <button type="button" aria-label={`One more of ${name}`} disabled={value >= mostOfOne} onClick={() => onChange(value + 1)}>
        +
      </button>
    </span>
  )
}

/** A question in front of the page. Escape closes it, the focus goes back to where it was. */
export function Dialog({ title, onClose, onSubmit, children }: { title: string; onClose: () => void; onSubmit: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  // Closed while it is still in the page: only then the browser gives the focus back.
  useLayoutEffect(() => {
    const element = dialog.current!
    element.showModal()
    return () => element.close()
  }, [])
  return (
    <dialog ref={dialog} className={styles.dialog} aria-labelledby={id} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          onSubmit()
        }}
      >
        <h2 id={id}>{title}</h2>
        {children}
      </form>
    </dialog>
  )
}

export const Row = ({ children }: { children: ReactNode }) => <div className={styles.row}>{children}</div>
