import { segment } from '../../api/api';
import type { Failure, Step, WorkflowInstance } from '../../api/types';
import { clock, dateTime, duration } from '../../lib/format';
import { isRetryTimer, nameOf, type Row } from '../../lib/timeline';
import { Badge, Button, Copy, cx, Facts, Json, kit, Link, Panel, toneOf, useMay } from '../../ui/kit';
import { pretty } from '../../lib/json';
import css from './instance.module.css';

export const failureText = (failure: Failure): string => (failure.type ? `${failure.type}: ${failure.message}` : failure.message);

export function FailureBox({ failure }: { failure: Failure }) {
  const stack = failure.stackTrace;
  return (
    <div>
      <p className={css['error']}>{failureText(failure)}</p>
      {stack && (
        <details>
          <summary>Stack trace</summary>
          <Json value={stack} label="Stack trace" />
        </details>
      )}
    </div>
  );
}

function Value({ name, value }: { name: string; value: unknown }) {
  if (value === undefined || value === null) return null;
  return (
    <div>
      <h3>
        {name} <Copy text={pretty(value)} what={name.toLowerCase()} />
      </h3>
      <Json value={value} label={name} />
    </div>
  );
}

/** All of one step: when, how long, what went in, what came out, its other attempts. */
export function StepDetail({ step, row, instance, onSelect, onRerun }: { step: Step | null; row: Row | undefined; instance: WorkflowInstance; onSelect: (step: Step) => void; onRerun: (step: Step) => void }) {
  const may = useMay('operator');
  if (!step)
    return (
      <Panel title="The instance" note="choose a step to see what went in and out">
        <div className={cx(kit['stacked'], css['detail'])}>
          <Value name="Input" value={instance.input} />
          <Value name="Output" value={instance.output} />
          {instance.failure && <FailureBox failure={instance.failure} />}
        </div>
      </Panel>
    );
  const attempts = row?.steps.filter((s) => !isRetryTimer(s)) ?? [];
  return (
    <Panel title={nameOf(step) || step.kind} tools={<Badge tone={step.state === 'open' ? 'wait' : toneOf(step.state)}>{step.state}</Badge>}>
      <div className={cx(kit['stacked'], css['detail'])}>
        {attempts.length > 1 && (
          <div className={css['attempts']} role="group" aria-label="Attempts">
            {attempts.map((a, i) => (
              <Button key={`${a.number} ${a.startedAt}`} pressed={a.number === step.number && a.startedAt === step.startedAt} onClick={() => onSelect(a)}>
                <Badge tone={a.state === 'open' ? 'wait' : toneOf(a.state)}>{a.attempt ?? i + 1}</Badge>
              </Button>
            ))}
          </div>
        )}
        <Facts
          of={[
            ['kind', `${step.kind}${step.compensation ? ', compensation' : ''}`],
            ['began', <time key="b" dateTime={step.startedAt} title={dateTime(step.startedAt)}>{clock(step.startedAt)}, {duration(step.offsetMs)} after the start</time>],
            ['took', step.ms !== null && step.ms !== undefined ? duration(step.ms) : step.state === 'open' ? 'not over' : null],
            !!step.attempt && ['attempt', String(step.attempt)],
            step.action !== null && step.action !== undefined && ['action', `#${step.action}`],
            !!step.childId && ['child', <Link key="c" to={`/workflows/${segment(instance.app)}/${segment(step.childId!)}`} className={kit['mono']}>{step.childId}</Link>],
          ]}
        />
        {step.failure && <FailureBox failure={step.failure} />}
        <Value name="Input" value={step.input} />
        <Value name="Output" value={step.output} />
        {step.action !== null && step.action !== undefined && (step.kind === 'activity' || step.kind === 'child') && (
          <div>
            <Button onClick={() => onRerun(step)} disabled={!may}>Run again from here</Button>
          </div>
        )}
      </div>
    </Panel>
  );
}
