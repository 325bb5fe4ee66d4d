import { useState } from 'react';
import { change, segment } from '../../api/api';
import type { Step, WorkflowInstance } from '../../api/types';
import { pretty } from '../../lib/json';
import { navigate } from '../../router';
import { Act, Button, Dialog, Field, kit, useMay, useToast } from '../../ui/kit';

const over = new Set(['completed', 'failed', 'terminated', 'canceled']);
export const isOver = (status: string): boolean => over.has(status);

/** Bad JSON is told before it is sent. Empty means none. */
export function parsed(text: string): { value?: unknown; error?: string } {
  if (!text.trim()) return {};
  try {
    return { value: JSON.parse(text) };
  } catch (e) {
    return { error: (e as Error).message };
  }
}

type Open = 'raise' | 'terminate' | 'purge' | 'suspend' | null;

export function Actions({ instance, onChanged }: { instance: WorkflowInstance; onChanged: () => void }) {
  const toast = useToast();
  const operator = useMay('operator');
  const admin = useMay('admin');
  const [open, setOpen] = useState<Open>(null);
  const events = instance.awaiting.filter((a) => a.kind === 'event').map((a) => a.name);
  const [name, setName] = useState('');
  const [data, setData] = useState('');
  const path = `/workflows/${segment(instance.app)}/${segment(instance.id)}`;
  const close = (): void => setOpen(null);
  const act = async (action: string, body: unknown, done: string): Promise<void> => {
    await change('POST', `${path}/${action}`, body);
    toast('ok', done);
    onChanged();
  };
  const json = parsed(data);
  const show = (what: Open): void => {
    setName(events.includes('approval') ? 'approval' : (events[0] ?? ''));
    setData('');
    setOpen(what);
  };
  const ended = isOver(instance.status);
  return (
    <>
      {!ended && <Button disabled={!operator} onClick={() => show('raise')}>Raise event</Button>}
      {!ended && instance.status !== 'suspended' && <Button disabled={!operator} onClick={() => show('suspend')}>Suspend</Button>}
      {instance.status === 'suspended' && <Act role="operator" run={() => act('resume', {}, 'It goes on')}>Resume</Act>}
      {!ended && <Button kind="danger" disabled={!operator} onClick={() => show('terminate')}>Terminate</Button>}
      {ended && <Button kind="danger" disabled={!admin} onClick={() => show('purge')}>Purge</Button>}
      <Dialog title={`Raise an event for ${instance.id}`} open={open === 'raise'} onClose={close} action="Raise" disabled={!name.trim() || json.error !== undefined} onAction={() => act('raise', { event: name.trim(), data: json.value }, `Raised ${name}`)}>
        <Field label="Name of the event">
          <input className={kit['input']} value={name} onChange={(e) => setName(e.target.value)} list="awaited-events" spellCheck={false} required />
        </Field>
        <datalist id="awaited-events">
          {events.map((e) => (
            <option key={e} value={e} />
          ))}
        </datalist>
        {events.length > 0 && <p className={kit['note']}>It waits for {events.join(', ')}.</p>}
        <Field label="Data, as JSON; may be empty">
          <textarea className={kit['area']} rows={5} value={data} onChange={(e) => setData(e.target.value)} spellCheck={false} aria-invalid={json.error !== undefined} />
        </Field>
        {json.error && <p className={kit['note']}>No JSON: {json.error}</p>}
      </Dialog>
      <Dialog title={`Suspend ${instance.id}?`} open={open === 'suspend'} onClose={close} action="Suspend" onAction={() => act('suspend', {}, 'It is suspended')}>
        <p>What it has begun goes on; its results and events wait until it is resumed.</p>
      </Dialog>
      <Dialog title={`Terminate ${instance.id}?`} open={open === 'terminate'} onClose={close} action="Terminate" danger disabled={json.error !== undefined} onAction={() => act('terminate', json.value === undefined ? {} : { output: json.value }, 'It is terminated')}>
        <p>It ends at once with its children, without its compensations: what it has done stays done. To undo an order, raise its event cancel instead.</p>
        <Field label="Output, as JSON; may be empty">
          <textarea className={kit['area']} rows={3} value={data} onChange={(e) => setData(e.target.value)} spellCheck={false} />
        </Field>
        {json.error && <p className={kit['note']}>No JSON: {json.error}</p>}
      </Dialog>
      <Dialog
        title={`Purge ${instance.id}?`}
        open={open === 'purge'}
        onClose={close}
        action="Purge"
        danger
        onAction={async () => {
          await change('DELETE', path);
          toast('ok', `${instance.id} is purged`);
          navigate('/workflows');
        }}
      >
        <p>Its history is deleted and cannot be brought back. The order itself, in the services' databases, stays.</p>
      </Dialog>
    </>
  );
}

/** A new instance with the history up to a step, which runs again. */
export function Rerun({ instance, step, onClose }: { instance: WorkflowInstance; step: Step | null; onClose: () => void }) {
  const toast = useToast();
  const [newId, setNewId] = useState('');
  const [text, setText] = useState<string>();
  const shown = text ?? pretty(step?.input ?? undefined);
  const json = parsed(shown);
  const isEdited = text !== undefined && text !== pretty(step?.input ?? undefined);
  const close = (): void => {
    setText(undefined);
    setNewId('');
    onClose();
  };
  return (
    <Dialog
      title={`Run again from ${step?.name ?? ''}`}
      open={step !== null}
      onClose={close}
      action="Run again"
      disabled={isEdited && json.error !== undefined}
      onAction={async () => {
        const made = await change<{ id?: string; newId?: string } | undefined>('POST', `/workflows/${segment(instance.app)}/${segment(instance.id)}/rerun`, { from: step!.action, ...(newId.trim() ? { newId: newId.trim() } : {}), ...(isEdited ? { input: json.value } : {}) });
        const id = made?.id ?? made?.newId ?? newId.trim();
        toast('ok', id ? `${id} runs` : 'It runs again');
        if (id) navigate(`/workflows/${segment(instance.app)}/${segment(id)}`);
      }}
    >
      <p>A new instance takes over the history before this step, then goes on from it. This one stays as it is.</p>
      <Field label="Id of the new instance; empty makes one">
        <input className={kit['input']} value={newId} onChange={(e) => setNewId(e.target.value)} spellCheck={false} />
      </Field>
      <Field label="Input of the step, as JSON">
        <textarea className={kit['area']} rows={6} value={shown} onChange={(e) => setText(e.target.value)} spellCheck={false} />
      </Field>
      {isEdited && json.error && <p className={kit['note']}>No JSON: {json.error}</p>}
    </Dialog>
  );
}
