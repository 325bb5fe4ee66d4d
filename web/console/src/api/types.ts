// The console's HTTP API, as cli/Console/openapi.json describes it. Times are ISO 8601 in UTC, durations milliseconds, money minor units.

export type Role = 'viewer' | 'operator' | 'admin';

export interface Session {
  signInRequired: boolean;
  signedIn: boolean;
  name?: string | null;
  role?: Role | null;
  version?: string | null;
  storefrontUrl?: string | null;
}

export type UnitState = 'stopped' | 'starting' | 'healthy' | 'waiting' | 'stopping' | (string & {});

export interface AppStatus {
  app: string;
  state: UnitState;
  pid?: number | null;
  url?: string | null;
  swaggerUrl?: string | null;
  healthUrl?: string | null;
  metricsUrl?: string | null;
  daprHttpPort: number;
  daprGrpcPort: number;
  sidecarHealthy: boolean;
  restarts: number;
  instances?: number | null;
  note?: string | null;
  healthySeconds?: number | null;
  startedAt?: string | null;
  lastAction?: { action: string; who: string; at: string } | null;
  residentBytes: number;
  cpuPercent?: number | null;
}

export interface PostgresStatus {
  state: UnitState;
  pid?: number | null;
  port: number;
  version: string;
  restarts: number;
  note?: string | null;
  residentBytes: number;
  cpuPercent?: number | null;
}

export interface ComponentStatus {
  name: string;
  type: string;
  standsFor?: string | null;
  apps: string[];
}

export interface Machine {
  cpus: number;
  loadAverage?: number | number[] | null;
  memoryTotalBytes: number;
  memoryAvailableBytes: number;
  diskTotalBytes: number;
  diskFreeBytes: number;
}

export interface Status {
  running: boolean;
  healthy: boolean;
  pid?: number | null;
  runFile?: string | null;
  dataDirectory?: string | null;
  metricsUrl?: string | null;
  uptimeSeconds: number;
  startSeconds?: number | null;
  residentBytes: number;
  runtimeResidentBytes: number;
  cpuPercent?: number | null;
  consoleUrl?: string | null;
  apps: AppStatus[];
  postgres?: PostgresStatus | null;
  components: ComponentStatus[];
  machine?: Machine | null;
}

export interface StackEvent {
  id?: string | number | null;
  at: string;
  kind: 'progress' | 'done' | 'problem';
  text: string;
}

export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface LogLine {
  id: string;
  at: string;
  app: string;
  source: 'app' | 'sidecar' | 'platform' | 'postgres';
  level: Level;
  text: string;
  traceId?: string | null;
  fields?: Record<string, unknown> | null;
}

export interface Page<T> {
  items: T[];
  next?: string | null;
  total?: number | null;
}

export interface TraceSummary {
  traceId: string;
  at: string;
  ms: number;
  rootService: string;
  rootName: string;
  spans: number;
  errors: number;
  services: string[];
  orderId?: string | null;
}

export interface Span {
  spanId: string;
  parentId?: string | null;
  service: string;
  name: string;
  kind: string;
  at: string;
  offsetMs: number;
  ms: number;
  status: 'unset' | 'ok' | 'error';
  message?: string | null;
  attributes: Record<string, unknown>;
}

export interface Trace {
  traceId: string;
  at: string;
  ms: number;
  spans: Span[];
  orderId?: string | null;
  /** Spans beyond those that are kept of one trace. */
  dropped?: number | null;
}

export interface Chart {
  id: string;
  title: string;
  unit: string;
  kind: 'line' | 'area';
  series: { label: string; points: [number, number | null][] }[];
}

/** The newest sample of each chart, as the stream sends it. */
export interface MetricsSample {
  at: number | string;
  /** By chart, then by label. */
  charts: Record<string, Record<string, number | null>>;
}

export interface Business {
  orders: { state: string; count: number }[];
  revenue: { currency: string; minor: number }[];
  today: { orders: number; minor: number; currency?: string | null };
  stock: { sku: string; name: string; available: number; reserved: number }[];
  /** What could not be read, and why; the rest is there. */
  missing?: string[] | null;
  at: string;
}

export interface AuditEntry {
  number?: number;
  at: string;
  who: string;
  role: Role;
  action: string;
  target: string;
  detail?: unknown;
  outcome: string;
  hash?: string | null;
}

export interface Component {
  name: string;
  type: string;
  version: string;
  standsFor?: string | null;
  apps: string[];
  capabilities: string[];
  metadata: Record<string, string>;
}

export interface Configuration {
  name: string;
  apps: string[];
  spec: unknown;
}

export interface Subscription {
  app: string;
  pubsub: string;
  topic: string;
  kind: 'declarative' | 'programmatic' | 'streaming';
  routes: { match?: string | null; path: string }[];
  deadLetterTopic?: string | null;
  bulk: boolean;
}

export interface Resiliency {
  policies: unknown[];
  targets: unknown[];
  breakers: Breaker[];
}

export interface Breaker {
  app: string;
  target: string;
  key?: string | null;
  policy: string;
  state: 'closed' | 'open' | 'halfOpen';
  consecutiveFailures: number;
  openUntil?: string | null;
}

export interface ActorType {
  type: string;
  app: string;
  active: number;
  entities?: string[] | null;
}

export interface LockHeld {
  store: string;
  resource: string;
  owner: string;
  expiresAt?: string | null;
}

export interface Job {
  app: string;
  name: string;
  schedule?: string | null;
  dueAt?: string | null;
  repeats?: number | null;
  data?: unknown;
}

export interface Reminder {
  actorType: string;
  actorId: string;
  name: string;
  dueAt?: string | null;
  period?: string | null;
}

export interface CallRate {
  app: string;
  block: string;
  perSecond: number;
  errorsPerSecond: number;
}

export interface Topic {
  pubsub: string[];
  server: string;
  topic: string;
  messages: number;
  partitions: { partition: number; first: number; next: number }[];
  groups: { group: string; lag: number; offsets: { partition: number; offset: number }[] }[];
}

export interface TopicMessage {
  partition: number;
  offset: number;
  key?: string | null;
  at: string;
  headers?: Record<string, unknown> | null;
  value: unknown;
}

export interface DeadLetter {
  id: string;
  topic: string;
  eventId?: string | null;
  type?: string | null;
  source?: string | null;
  subject?: string | null;
  at: string;
  replayedAt?: string | null;
  droppedAt?: string | null;
  event?: unknown;
  /** Deliveries before it was given up; 0: it could not even be read. */
  attempts?: number | null;
  cause?: string | null;
  consumer?: string | null;
  /** topic/partition/offset where it was read. */
  from?: string | null;
}

export interface StateStore {
  app: string;
  store: string;
  type: string;
  browsable: boolean;
  why?: string | null;
}

export interface StateKey {
  key: string;
  etag?: string | null;
  expiresAt?: string | null;
  bytes: number;
}

export interface StateValue {
  key: string;
  value: unknown;
  etag?: string | null;
  expiresAt?: string | null;
}

export interface ConfigItem {
  store: string;
  key: string;
  value: string;
  version?: string | null;
}

export type WorkflowStatus = 'pending' | 'running' | 'completed' | 'failed' | 'terminated' | 'suspended' | 'canceled' | 'continuedAsNew' | 'stalled' | (string & {});

export interface WorkflowSummary {
  app: string;
  id: string;
  name: string;
  status: WorkflowStatus;
  createdAt?: string | null;
  updatedAt?: string | null;
  customStatus?: string | null;
}

export interface Failure {
  type?: string | null;
  message?: string | null;
  stackTrace?: string | null;
  inner?: Failure | null;
}

export interface Awaited {
  kind: 'activity' | 'timer' | 'event' | 'child';
  name: string;
  since?: string | null;
  until?: string | null;
  childId?: string | null;
}

export interface WorkflowInstance extends WorkflowSummary {
  input?: unknown;
  output?: unknown;
  failure?: Failure | string | null;
  parent?: { app?: string | null; id?: string | null; name?: string | null } | null;
  rerunOf?: string | null;
  awaiting: Awaited[];
  /** Events that are durable and wait for the next turn. */
  waiting?: string[] | null;
  traceId?: string | null;
}

export interface HistoryEvent {
  number: number;
  turn: number;
  type: string;
  name?: string | null;
  at: string;
  detail?: Record<string, unknown> | null;
  input?: unknown;
  output?: unknown;
  failure?: Failure | string | null;
}

/** `unneeded` is the page's own: what an instance that is over does not wait for any more. */
export type StepState = 'happened' | 'open' | 'succeeded' | 'failed' | 'unneeded';

export interface Step {
  number: number | null;
  /** Number of the action, as `rerun` takes it; none for what happened from outside. */
  action?: number | null;
  turn?: number | null;
  kind: string;
  name: string;
  startedAt: string;
  offsetMs: number;
  ms?: number | null;
  state: StepState;
  attempt?: number | null;
  compensation?: boolean | null;
  input?: unknown;
  output?: unknown;
  failure?: Failure | string | null;
  childId?: string | null;
}

export interface WorkflowHistory {
  events: HistoryEvent[];
  steps: Step[];
}
