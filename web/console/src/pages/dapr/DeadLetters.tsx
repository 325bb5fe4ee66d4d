import { useState } from 'react';
import { change, segment } from '../../api/api';
import { useLive, useLoad, useNow } from '../../api/hooks';
import type { DeadLetter } from '../../api/types';
import { ago, count, dateTime } from '../../lib/format';
import { pretty } from '../../lib/json';
import { useParameters } from '../../router';
import { Badge, Button, Content, cx, Dialog, Empty, Facts, Field, Json, kit, Link, Panel, Table, useMay, useToast } from '../../ui/kit';
import { parsed } from '../instance/Actions';
import css from './dapr.module.css';

const orderOf = (letter: DeadLetter): string | undefined => {
  const text = letter.subject ?? JSON.stringify(letter.event ?? '');
  return /ORD-[0-9A-Za-z-]+/.exec(text)?.[0];
};

export function DeadLetters() {
  const toast = useToast();
  const may = useMay('operator');
  const now = useNow();
  const [parameters, setParameters] = useParameters();
  const all = parameters.get('all') === 'true';
  const letters = useLoad<DeadLetter[]>('/dead-letters', { all });
  useLive(['deadLetters'], letters.reload, letters.reload);
  const [marked, setMarked] = useState<ReadonlySet<string>>(new Set());
  const [ask, setAsk] = useState<{ action: 'replay' | 'drop'; ids: string[] } | null>(null);
  const [editing, setEditing] = useState<DeadLetter | null>(null);
  const [text, setText] = useState('');
  const chosenId = parameters.get('letter');
  const chosen = letters.data?.find((l) => l.id === chosenId);
  // What the list leaves out of a letter is in the letter itself.
  const whole = useLoad<DeadLetter>(chosen && chosen.event === undefined ? `/dead-letters/${segment(chosen.id)}` : null);
  const shown = whole.data ?? chosen;
  const ids = letters.data?.filter((l) => marked.has(l.id)).map((l) => l.id) ?? [];
  const json = parsed(text);
  const act = async (action: 'replay' | 'drop', of: string[], event?: unknown): Promise<void> => {
    await change('POST', `/dead-letters/${action}`, event === undefined ? { ids: of } : { ids: of, event });
    toast('ok', `${action === 'replay' ? 'Replayed' : 'Dropped'} ${count(of.length)} ${of.length === 1 ? 'event' : 'events'}`);
    setMarked(new Set());
    letters.reload();
  };
  return (
    <div className={kit['split']} data-detail="">
      <Panel title="Dead letters" flush note={letters.data && count(letters.data.length)}>
        <div className={css['tools']}>
          <Button kind="primary" disabled={!may || ids.length === 0} onClick={() => setAsk({ action: 'replay', ids })}>Replay {ids.length > 0 ? count(ids.length) : 'the marked ones'}</Button>
          <Button kind="danger" disabled={!may || ids.length === 0} onClick={() => setAsk({ action: 'drop', ids })}>Drop</Button>
          <Button pressed={all} onClick={() => setParameters({ all: all ? null : 'true' })}>with those that are done</Button>
        </div>
        <Content of={letters} rows={8}>
          {(list) =>
            list.length === 0 ? (
              <Empty>No event waits here: every consumer could process what it got.</Empty>
            ) : (
              <Table label="Dead letters" head={['', 'Event', 'Topic', 'About', 'Consumer', { text: 'Tries', num: true }, 'Since']}>
                {list.map((l) => (
                  <tr key={l.id} className={l.id === chosenId ? css['chosen'] : undefined}>
                    <td>
                      <input type="checkbox" aria-label={`Mark ${l.id}`} checked={marked.has(l.id)} onChange={(e) => setMarked((m) => (e.target.checked ? new Set([...m, l.id]) : new Set([...m].filter((x) => x !== l.id))))} />
                    </td>
                    <td>
                      <button type="button" className={cx(css['rowButton'], kit['mono'])} onClick={() => setParameters({ letter: l.id })}>{l.eventId ?? l.id}</button>
                      {l.replayedAt && <Badge tone="ok">replayed</Badge>}
                      {l.droppedAt && <Badge tone="idle">dropped</Badge>}
                    </td>
                    <td>{l.topic}</td>
                    <td className={kit['mono']}>{l.subject}</td>
                    <td>{l.consumer ?? '–'}</td>
                    <td className={kit['num']}>{l.attempts ?? '–'}</td>
                    <td><time dateTime={l.at} title={dateTime(l.at)}>{ago(l.at, now)}</time></td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Content>
      </Panel>
      {shown ? (
        <Panel title={shown.eventId ?? shown.id} tools={<Button kind="quiet" onClick={() => setParameters({ letter: null })}>Close</Button>}>
          <div className={kit['stacked']}>
            <Facts
              of={[
                ['where', <span key="w" className={kit['mono']}>{shown.id}</span>],
                ['type', shown.type],
                ['from', shown.source],
                !!shown.from && ['read at', <span key="r" className={kit['mono']}>{shown.from}</span>],
                !!shown.consumer && ['consumer', <Link key="c" to={`/logs?app=${shown.consumer}`}>{shown.consumer}</Link>],
                ['tries', shown.attempts],
                !!shown.cause && ['cause', <Badge key="b" tone="bad">{shown.cause}</Badge>],
                ['since', dateTime(shown.at)],
                !!shown.replayedAt && ['replayed', dateTime(shown.replayedAt)],
                !!shown.droppedAt && ['dropped', dateTime(shown.droppedAt)],
                !!orderOf(shown) && ['order', <Link key="o" to={`/order/${orderOf(shown)}`} className={kit['mono']}>{orderOf(shown)}</Link>],
              ]}
            />
            <Json value={shown.event} label="The event" />
            <div className={kit['tools']}>
              <Button kind="primary" disabled={!may} onClick={() => setAsk({ action: 'replay', ids: [shown.id] })}>Replay</Button>
              <Button disabled={!may} onClick={() => { setText(pretty(shown.event)); setEditing(shown); }}>Edit and replay</Button>
              <Button kind="danger" disabled={!may} onClick={() => setAsk({ action: 'drop', ids: [shown.id] })}>Drop</Button>
            </div>
          </div>
        </Panel>
      ) : (
        <Empty>Choose an event to see what it says and why it is here.</Empty>
      )}
      <Dialog
        title={ask?.action === 'drop' ? `Drop ${ask.ids.length === 1 ? 'this event' : `${ask.ids.length} events`}?` : `Replay ${ask?.ids.length === 1 ? 'this event' : `${ask?.ids.length ?? 0} events`}?`}
        open={ask !== null}
        onClose={() => setAsk(null)}
        action={ask?.action === 'drop' ? 'Drop' : 'Replay'}
        danger={ask?.action === 'drop'}
        onAction={() => act(ask!.action, ask!.ids)}
      >
        <p>{ask?.action === 'drop' ? 'No consumer will get it again.' : 'It goes to its topic again, under its own id: consumers that had it before know it.'}</p>
      </Dialog>
      <Dialog title="Edit and replay" open={editing !== null} onClose={() => setEditing(null)} action="Replay" disabled={json.error !== undefined || !text.trim()} onAction={() => act('replay', [editing!.id], json.value)}>
        <p>The event keeps its id, whatever is written here.</p>
        <Field label="The event, as JSON">
          <textarea className={kit['area']} rows={18} value={text} onChange={(e) => setText(e.target.value)} spellCheck={false} aria-invalid={json.error !== undefined} />
        </Field>
        {json.error && <p className={kit['note']}>No JSON: {json.error}</p>}
      </Dialog>
    </div>
  );
}
