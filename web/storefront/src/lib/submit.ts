import { type FormEvent, useEffect, useRef, useState } from 'react'

export interface Submit {
  busy: boolean
  error: unknown
  setError: (error: unknown) => void
  /** Runs the work, unless it runs already. What it throws is the error; of a form the first field that is marked gets the focus. */
  submit: (event?: FormEvent<HTMLFormElement>) => Promise<void>
}

/** A form or a question that is sent once at a time. */
export function useSubmit(work: () => Promise<unknown>): Submit {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const form = useRef<HTMLFormElement | undefined>(undefined)
  useEffect(() => {
    if (error !== undefined) form.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus()
  }, [error])
  const submit = async (event?: FormEvent<HTMLFormElement>): Promise<void> => {
    event?.preventDefault()
    if (busy) return
    form.current = event?.currentTarget
    setBusy(true)
    setError(undefined)
    try {
      await work()
    } catch (problem) {
      setError(problem)
    } finally {
      setBusy(false)
    }
  }
  return { busy, error, setError, submit }
}
