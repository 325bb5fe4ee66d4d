// Names for what the console's HTTP API says (generated/schema.ts is made from its OpenAPI document: npm run api), and the messages of its stream, which the document does not
// have. Times are ISO 8601 in UTC, durations milliseconds, money minor units; what is null is left out.
import type { components } from './generated/schema';

type Schemas = components['schemas'];

/** A part of a list, and where the next one begins. */
export type Page<T> = Omit<Schemas['WorkflowList'], 'items'> & { items: T[] };

export type Role = Schemas['ConsoleRole'];
export type Session = Schemas['SessionAnswer'];
export type AppStatus = Schemas['AppStatus'];
export type PostgresStatus = Schemas['PostgresStatus'];
export type Status = Schemas['StackStatus'];
export type StackEvent = Schemas['StackEvent'];
export type LogLine = Schemas['LogLine'];
export type Level = Schemas['LogLevelName'];
export type TraceSummary = Schemas['TraceSummary'];
export type Span = Schemas['SpanView'];
export type Trace = Schemas['TraceView'];
/** A point is a time in milliseconds and a value, none where nothing was measured. */
export type Chart = Omit<Schemas['Chart'], 'series'> & { series: { label: string; points: [number, number | null][] }[] };
export type Business = Schemas['BusinessFigures'];
export type AuditEntry = Schemas['AuditEntry'];
export type Component = Schemas['ComponentView'];
export type Configuration = Schemas['ConfigurationView'];
export type Subscription = Schemas['SubscriptionView'];
export type Resiliency = Schemas['ResiliencyView'];
export type ActorType = Schemas['ActorTypeView'];
export type LockHeld = Schemas['LockView'];
export type Job = Schemas['JobView'];
export type Reminder = Schemas['ReminderView'];
export type CallRate = Schemas['CallRate'];
export type Topic = Schemas['TopicView'];
export type TopicMessage = Schemas['TopicEntry'];
export type DeadLetter = Schemas['DeadLetter'];
export type StateStore = Schemas['StateStoreView'];
export type StateKey = Schemas['StateKey'];
export type StateValue = Schemas['StateValue'];
export type ConfigItem = Schemas['SettingView'];
export type WorkflowSummary = Schemas['WorkflowRow'];
export type WorkflowInstance = Schemas['WorkflowInstanceView'];
export type Failure = Schemas['WorkflowFailure'];
export type Awaited = Schemas['WorkflowAwait'];
export type HistoryEvent = Schemas['WorkflowEventView'];
/** `unneeded` is the page's own: what an instance that is over does not wait for any more. */
export type StepState = 'happened' | 'open' | 'succeeded' | 'failed' | 'unneeded';
export type Step = Omit<Schemas['WorkflowStepView'], 'state'> & { state: StepState };
export type WorkflowHistory = Omit<Schemas['WorkflowHistoryView'], 'steps'> & { steps: Step[] };

/** `metrics`: the newest sample of each chart, by chart, then by label. */
export interface MetricsSample {
  at: number | string;
  charts: Record<string, Record<string, number | null>>;
}

/** `dapr`: what moves all the time, every two seconds. */
export interface DaprFigures {
  calls: CallRate[];
  topics: { pubsub: string[]; server: string; topic: string; messages: number; lag: number; groups: { group: string; lag: number; pending?: number | null }[] }[];
}

export type Area = 'state' | 'locks' | 'settings' | 'actors' | 'jobs' | 'reminders' | 'breakers' | 'sidecars';

/** `changes`: lists that are others now. */
export interface ChangedLists {
  areas: Area[];
  /** With `state`: the stores that were written to. */
  stores: string[];
}
