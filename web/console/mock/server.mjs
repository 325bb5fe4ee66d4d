// The console's API on made-up data: `npm run mock`, then `npm run dev`. With --static DIR it serves a build, too, under the content security policy of the
// real console; --slow MS delays every answer, --broken PREFIX answers 503 below a path.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';
import { apps, counts, indexOf, line, lineId, orderId, orderLines, overrides, start, story, summary, trace, traceId, traceIndex, traceSummary, hash } from './data.mjs';

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
};
const port = Number(option('port', '4337'));
const folder = option('static', null);
const slow = Number(option('slow', '0'));
const broken = process.argv.flatMap((a, i) => (a === '--broken' ? [process.argv[i + 1]] : []));
const signIn = process.argv.includes('--sign-in');
const iso = (ms) => new Date(ms).toISOString();

let signedIn = !signIn;
const states = new Map(apps.map((a) => [a, 'healthy']));
states.set('payments', 'stopped');
const restarts = new Map([['notifications', 2]]);
const events = [];
const audit = [];
const listeners = new Set();
let nextEvent = 1;
const send = (topic, data) => {
  const id = nextEvent++;
  for (const l of listeners) l(topic, data, id);
};
const event = (kind, text, at = Date.now()) => {
  const e = { id: events.length, at: iso(at), kind, text };
  events.push(e);
  if (at > start) send('events', e);
};
event('progress', 'Compiling the services', start - 3_600_000);
event('done', 'PostgreSQL 17.6 serves on 5432', start - 3_580_000);
event('done', 'All apps are healthy after 8.4 s', start - 3_570_000);
event('problem', 'notifications.app ended with code 137; next start in 1 s', start - 1_900_000);
event('done', 'notifications is healthy again', start - 1_896_000);
event('progress', 'payments is stopped by an operator', start - 52_000);
const note = (action, target, detail, outcome = 'done') => audit.unshift({ number: audit.length + 1, at: iso(Date.now()), who: 'operator', role: 'admin', action, target, detail, outcome, hash: hash(audit.length + 1).toString(16) });
for (let i = 0; i < 260; i++) audit.push({ number: 260 - i, at: iso(start - i * 640_000), who: i % 3 ? 'ada' : 'console', role: i % 3 ? 'operator' : 'admin', action: ['app.restart', 'deadLetter.replay', 'configuration.set', 'workflow.raise'][i % 4], target: ['payments', 'order_status_changed.dlq/0/12', 'configstore/approval-threshold', orderId(i)][i % 4], detail: i % 4 === 2 ? { value: '50000' } : null, outcome: i % 17 === 5 ? 'failed' : 'done', hash: hash(i, 77).toString(16).padStart(8, '0') });

const status = () => ({
  running: true, healthy: [...states.values()].every((s) => s === 'healthy'), pid: 4242, runFile: 'dapr.yaml', dataDirectory: '.platform', metricsUrl: 'http://127.0.0.1:1337/metrics',
  uptimeSeconds: 3600 + (Date.now() - start) / 1000, startSeconds: 8.4, residentBytes: 1_205_000_000, runtimeResidentBytes: 212_000_000, cpuPercent: 14 + (hash(Date.now() >> 11) % 90) / 10,
  apps: apps.map((app, i) => {
    const up = states.get(app) === 'healthy';
    return { app, state: states.get(app), pid: up ? 5000 + i : null, url: `http://127.0.0.1:${app === 'gateway' ? 8080 : 9090 + i}`, swaggerUrl: app === 'notifications' || app === 'basket' ? null : `http://127.0.0.1:${9090 + i}/swagger`, healthUrl: `http://127.0.0.1:${9090 + i}/health`, metricsUrl: `http://127.0.0.1:${9090 + i}/metrics`, daprHttpPort: 3500 + i, daprGrpcPort: 15000 + i, sidecarHealthy: true, restarts: restarts.get(app) ?? 0, instances: up ? 1 : 0, note: app === 'payments' && !up ? 'stopped by an operator' : null, healthySeconds: up ? 4 + i / 3 : null, startedAt: up ? iso(start - 3_500_000) : null, lastAction: app === 'payments' ? { action: 'stop', who: 'ada', at: iso(start - 52_000) } : null, residentBytes: up ? 60_000_000 + (hash(i) % 90_000_000) : 0, cpuPercent: up ? (hash(i + (Date.now() >> 11)) % 60) / 10 : 0 };
  }),
  postgres: { state: 'healthy', pid: 4300, port: 5432, version: '17.6', restarts: 0, note: null, residentBytes: 96_000_000, cpuPercent: 1.2 },
  components: components.map(({ name, type, standsFor, apps: of }) => ({ name, type, standsFor, apps: of })),
  machine: { cpus: 2, loadAverage: 0.84, memoryTotalBytes: 8_320_000_000, memoryAvailableBytes: 3_900_000_000, diskTotalBytes: 64_000_000_000, diskFreeBytes: 21_400_000_000 },
});

const components = [
  { name: 'configstore', type: 'configuration.redis', version: 'v1', standsFor: 'embedded configuration', apps: apps.slice(0, 7), capabilities: ['subscribe'], metadata: { redisHost: 'localhost:6379', redisPassword: '***' } },
  { name: 'lockstore', type: 'lock.redis', version: 'v1', standsFor: 'embedded locks', apps: ['orders', 'inventory'], capabilities: [], metadata: { redisHost: 'localhost:6379', redisPassword: '***' } },
  { name: 'mail', type: 'bindings.smtp', version: 'v1', standsFor: null, apps: ['notifications'], capabilities: ['create'], metadata: { host: 'localhost', port: '1025', emailFrom: 'DaprPlatform <shop@platform.local>' } },
  { name: 'orderstate', type: 'state.etcd', version: 'v2', standsFor: 'embedded state', apps: ['orders', 'payments'], capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL', 'ACTOR'], metadata: { endpoints: 'localhost:2379', keyPrefixPath: 'daprplatform', actorStateStore: 'true' } },
  { name: 'pubsub', type: 'pubsub.kafka', version: 'v1', standsFor: 'embedded log', apps: apps.slice(1), capabilities: ['BULK_PUBSUB'], metadata: { brokers: 'localhost:9092', authType: 'none', initialOffset: 'oldest' } },
  { name: 'secretstore', type: 'secretstores.local.file', version: 'v1', standsFor: null, apps: ['users'], capabilities: ['MULTIPLE_KEY_VALUES_PER_SECRET'], metadata: { secretsFile: './config/secrets.development.json' } },
  { name: 'statestore', type: 'state.redis', version: 'v1', standsFor: 'embedded state', apps: ['users', 'basket', 'notifications'], capabilities: ['ETAG', 'TRANSACTIONAL', 'TTL', 'QUERY_API'], metadata: { redisHost: 'localhost:6379', redisPassword: '***' } },
];
const topicNames = ['order_created', 'order_status_changed', 'order_status_changed.dlq', 'payment_processed', 'payment_refunded', 'stock_events', 'stock_reserved', 'user_registered'];
const consumers = { order_created: ['inventory', 'webhooks'], order_status_changed: ['basket', 'notifications', 'webhooks'], payment_processed: ['orders', 'webhooks'], payment_refunded: ['orders', 'notifications'], stock_events: ['orders'], stock_reserved: ['payments'], user_registered: ['notifications'] };
const memory = { pubsub: ['wire'], server: '', topic: 'shop-bell', kind: 'memory', messages: 2, partitions: [], groups: [{ group: 'notifications', lag: 2, offsets: [] }], deadLetters: [] };
const parcels = { pubsub: ['queue'], server: 'localhost:6379/0', topic: 'parcels', kind: 'stream', messages: 812, partitions: [{ partition: 0, first: 40, next: 852 }], groups: [{ group: 'inventory', lag: 5, pending: 3, offsets: [{ partition: 0, offset: 847 }] }], deadLetters: [{ topic: 'parcels.dlq', messages: 0 }] };
const topics = [...topicNames.map((topic, t) => {
  const partitions = topic.endsWith('.dlq') ? [{ partition: 0, first: 0, next: 14 }] : Array.from({ length: 4 }, (_, p) => ({ partition: p, first: 0, next: 2000 + (hash(t * 10 + p) % 900) }));
  return { pubsub: ['pubsub'], server: 'localhost:9092', topic, kind: 'log', deadLetters: consumers[topic] ? [{ topic: `${topic}.dlq`, messages: topic === 'order_status_changed' ? 14 : 0 }] : [], messages: partitions.reduce((n, p) => n + p.next - p.first, 0), partitions, groups: (consumers[topic] ?? []).map((group) => ({ group, lag: group === 'payments' ? 37 : hash(t, 5) % 3, offsets: partitions.map((p) => ({ partition: p.partition, offset: p.next - (group === 'payments' ? 9 : 0) })) })) };
}), memory, parcels].toSorted((a, b) => (a.topic < b.topic ? -1 : 1));
let deadLetters = Array.from({ length: 14 }, (_, i) => ({ id: `order_status_changed.dlq/0/${i}`, topic: 'order_status_changed', eventId: `evt-${hash(i, 8).toString(16)}`, type: 'orders.v1.order_status_changed', source: 'orders', subject: orderId(i + 20), at: iso(start - 500_000 - i * 95_000), replayedAt: i > 11 ? iso(start - 90_000) : null, attempts: 6, consumer: i % 2 ? 'webhooks' : 'notifications', cause: 'status 500: the mail server refused the recipient', event: { specversion: '1.0', id: `evt-${hash(i, 8).toString(16)}`, type: 'orders.v1.order_status_changed', source: 'orders', subject: orderId(i + 20), datacontenttype: 'application/json', data: { orderId: orderId(i + 20), status: 'CONFIRMED', previous: 'PENDING' } } }));
const config = [['approval-threshold', '50000'], ['order-mode', 'orchestrated'], ['fault-payment-failure-percent', '0'], ['fault-slow-inventory-ms', '0'], ['fault-broker-lag-ms', '0']].map(([key, value]) => ({ store: 'configstore', key, value, version: '1' }));
const state = new Map();
for (let i = 0; i < 3000; i++) state.set(`basket||usr_${hash(i, 31).toString(16).padStart(8, '0')}`, { value: JSON.stringify({ items: [{ productId: 'MUG-001', quantity: 1 + (i % 3) }], version: i }), etag: String(i + 1), expiresAt: i % 4 === 0 ? iso(start + 86_400_000 + i * 1000) : null });

const chartAt = (chart, series, at) => {
  const wave = Math.sin(at / 180_000 + series) * 0.35 + Math.sin(at / 41_000 + chart * 3 + series * 2) * 0.2 + (hash(Math.floor(at / 5000), chart * 17 + series) % 100) / 330;
  return Math.max(0, charts[chart].scale * (0.55 + wave) * (1 - series * 0.13));
};
const charts = [
  { id: 'requests', title: 'Requests', unit: 'per second', kind: 'area', labels: ['gateway', 'orders', 'inventory', 'payments'], scale: 42 },
  { id: 'errors', title: 'Errors', unit: 'per second', kind: 'line', labels: ['gateway', 'orders', 'payments'], scale: 0.6 },
  { id: 'p95', title: 'Latency, 95th percentile', unit: 'ms', kind: 'line', labels: ['gateway', 'orders', 'inventory', 'payments'], scale: 48 },
  { id: 'cpu', title: 'CPU', unit: 'percent of one', kind: 'line', labels: ['platform', 'orders', 'gateway', 'postgres'], scale: 18 },
  { id: 'memory', title: 'Memory', unit: 'bytes', kind: 'line', labels: ['platform', 'orders', 'gateway', 'postgres'], scale: 210_000_000 },
  { id: 'orders', title: 'Orders', unit: 'per second', kind: 'area', labels: ['placed', 'confirmed'], scale: 9 },
  { id: 'workflows', title: 'Workflow turns', unit: 'per second', kind: 'area', labels: ['orders', 'payments'], scale: 80 },
  { id: 'lag', title: 'Pub/sub lag', unit: 'messages', kind: 'line', labels: ['payments', 'notifications'], scale: 20 },
  { id: 'calls', title: 'API calls by building block', unit: 'per second', kind: 'area', labels: ['invocation', 'state', 'pubsub', 'workflow'], scale: 60 },
];
const chartsOfAnHour = () => charts.map(({ id, title, unit, kind, labels }, c) => ({ id, title, unit, kind, series: labels.map((label, s) => ({ label, points: Array.from({ length: 720 }, (_, n) => { const at = Math.floor(Date.now() / 5000) * 5000 - (719 - n) * 5000; return [at, chartAt(c, s, at)]; }) })) }));
const sample = () => { const at = Math.floor(Date.now() / 5000) * 5000; return { at: iso(at), charts: Object.fromEntries(charts.map((c, i) => [c.id, Object.fromEntries(c.labels.map((label, s) => [label, chartAt(i, s, at)]))])) }; };
const calls = () => apps.flatMap((app, a) => ['invocation', 'state', 'pubsub', 'workflow', 'configuration'].filter((_, b) => hash(a * 7 + b) % 3 !== 0).map((block, b) => ({ app, block, perSecond: (hash(a * 11 + b + (Date.now() >> 11)) % 300) / 10, errorsPerSecond: app === 'orders' && block === 'invocation' ? 1.4 : 0 })));

let lines = counts.lines;
const logPage = (q) => {
  const limit = Math.min(1000, Number(q.get('limit') ?? 100));
  const filter = { apps: q.getAll('app'), level: ['debug', 'info', 'warn', 'error'].indexOf(q.get('level') ?? 'debug'), text: (q.get('text') ?? '').toLowerCase(), trace: q.get('trace') };
  const fits = (l) => (filter.apps.length === 0 || filter.apps.includes(l.app)) && ['debug', 'info', 'warn', 'error'].indexOf(l.level) >= filter.level && (!filter.text || l.text.toLowerCase().includes(filter.text)) && (!filter.trace || l.traceId === filter.trace);
  const of = filter.trace ? traceIndex(filter.trace) : indexOf((q.get('text') ?? '').toUpperCase());
  if (of >= 0) return { items: orderLines(of).filter(fits).slice(-limit), next: null };
  const found = [];
  if (q.get('after')) {
    let i = Number(q.get('after').slice(1)) + 1;
    for (; i < lines && found.length < limit; i++) { const l = line(i); if (fits(l)) found.push(l); }
    return { items: found, next: i < lines ? lineId(i - 1) : null };
  }
  let i = (q.get('before') ? Number(q.get('before').slice(1)) : lines) - 1;
  for (let seen = 0; i >= 0 && found.length < limit && seen < 300_000; i--, seen++) { const l = line(i); if (fits(l)) found.push(l); }
  return { items: found.reverse(), next: i >= 0 ? lineId(i + 1) : null };
};

const workflowPage = (q) => {
  const limit = Math.min(1000, Number(q.get('limit') ?? 100));
  const wanted = (q.get('status') ?? '').split(',').filter(Boolean);
  const text = (q.get('text') ?? '').toLowerCase();
  const items = [];
  let i = q.get('after') ? Number(q.get('after')) : 0;
  for (; i < counts.workflows && items.length < limit; i++) {
    const s = summary(i);
    if (wanted.length > 0 && !wanted.includes(s.status)) continue;
    if (text && !s.id.toLowerCase().includes(text) && !s.name.toLowerCase().includes(text)) continue;
    if (q.get('app') && q.get('app') !== s.app) continue;
    if (q.get('name') && q.get('name') !== s.name) continue;
    items.push(s);
  }
  return { items, next: i < counts.workflows ? String(i) : null, total: wanted.length || text ? null : counts.workflows };
};

class Problem extends Error {
  constructor(code, title, detail) { super(title); this.code = code; this.detail = detail; }
}
const missing = (what) => { throw new Problem(404, 'Not found', `There is no ${what}.`); };
const decode = decodeURIComponent;

const routes = [
  ['GET', /^\/session$/, () => ({ signInRequired: signIn, signedIn, name: signedIn && signIn ? 'ada' : null, role: signedIn ? 'admin' : null, version: '0.9.0', storefrontUrl: 'http://127.0.0.1:8080/' })],
  ['POST', /^\/session$/, (m, q, body) => { if (body.password !== 'correct-horse') throw new Problem(401, 'Not signed in', 'The name or the password is wrong.'); signedIn = true; }],
  ['DELETE', /^\/session$/, () => { signedIn = !signIn; }],
  ['GET', /^\/status$/, status],
  ['POST', /^\/apps\/([^/]+)\/(start|stop|restart)$/, ([, app, action]) => {
    if (!states.has(app)) missing(`app ${app}`);
    note(`app.${action}`, app);
    event('progress', `${app}: ${action} by operator`);
    const become = (s) => { states.set(app, s); send('status', status()); };
    become(action === 'stop' ? 'stopping' : 'starting');
    setTimeout(() => { become(action === 'stop' ? 'stopped' : 'healthy'); event('done', action === 'stop' ? `${app} is stopped` : `${app} is healthy`); }, 1200);
  }],
  ['GET', /^\/events$/, () => events],
  ['GET', /^\/logs$/, (m, q) => logPage(q)],
  ['GET', /^\/traces$/, (m, q) => {
    const limit = Number(q.get('limit') ?? 100);
    const from = q.get('before') ? Number(q.get('before')) : 0;
    if (q.get('order')) { const i = indexOf(q.get('order')); return { items: i >= 0 ? [traceSummary(i)] : [], next: null }; }
    const items = [];
    let i = from;
    for (; i < 5000 && items.length < limit; i++) {
      const t = traceSummary(i);
      if ((q.get('errors') === 'true' && t.errors === 0) || (q.get('minMs') && t.ms < Number(q.get('minMs'))) || (q.get('service') && !t.services.includes(q.get('service'))) || (q.get('text') && !`${t.rootName} ${t.orderId} ${t.traceId}`.toLowerCase().includes(q.get('text').toLowerCase()))) continue;
      items.push(t);
    }
    return { items, next: i < 5000 ? String(i) : null };
  }],
  ['GET', /^\/traces\/([^/]+)$/, ([, id]) => { const i = traceIndex(id); return i < 0 ? missing(`trace ${id}`) : trace(i); }],
  ['GET', /^\/metrics\/charts$/, chartsOfAnHour],
  ['GET', /^\/business$/, () => ({ orders: [{ state: 'CONFIRMED', count: 88_412 }, { state: 'PENDING', count: 37 }, { state: 'CANCELLED', count: 9_214 }, { state: 'SHIPPED', count: 2_337 }], revenue: [{ currency: 'USD', minor: 1_284_553_120 }, { currency: 'EUR', minor: 38_112_400 }], today: { orders: 1284, minor: 18_450_300, currency: 'USD' }, stock: ['MUG-001', 'TEE-014', 'LMP-203', 'BAG-077', 'PEN-410', 'CUP-012'].map((sku, i) => ({ sku, name: ['Enamel mug', 'Linen shirt', 'Desk lamp', 'Canvas bag', 'Brass pen', 'Espresso cup'][i], available: [2, 140, 36, 0, 512, 88][i], reserved: [1, 4, 2, 6, 0, 3][i] })), at: iso(Date.now()) })],
  ['GET', /^\/audit$/, (m, q) => { const from = Number(q.get('before') ?? 0); const limit = Number(q.get('limit') ?? 100); return { items: audit.slice(from, from + limit), next: from + limit < audit.length ? String(from + limit) : null }; }],
  ['GET', /^\/dapr\/components$/, () => components],
  ['GET', /^\/dapr\/configurations$/, () => [{ name: 'daprplatform', apps, spec: { tracing: { samplingRate: '1' }, metrics: { enabled: true }, features: [{ name: 'SchedulerReminders', enabled: true }] } }]],
  ['GET', /^\/dapr\/subscriptions$/, () => Object.entries(consumers).flatMap(([topic, of]) => of.map((app) => ({ app, pubsub: 'pubsub', topic, kind: app === 'notifications' ? 'programmatic' : 'declarative', routes: app === 'inventory' || app === 'payments' ? [{ match: 'event.data.mode == "choreographed"', path: `/events/${topic}` }, { match: null, path: '/events/ignored' }] : [{ match: null, path: `/events/${topic}` }], deadLetterTopic: `${topic}.dlq`, bulk: false })))],
  ['GET', /^\/dapr\/resiliency$/, () => ({ policies: [{ kind: 'timeout', name: 'call', value: '10s' }, { kind: 'retry', name: 'unreachable', policy: 'exponential', duration: '100ms', maxInterval: '1s', maxRetries: 3 }, { kind: 'circuitBreaker', name: 'shared', maxRequests: 2, interval: '10s', timeout: '5s', trip: 'consecutiveFailures >= 20' }], targets: [{ kind: 'app', name: 'inventory', timeout: 'call', retry: 'unreachable' }, { kind: 'app', name: 'notifications', timeout: 'call', retry: 'unreachable', circuitBreaker: 'shared' }, { kind: 'component', name: 'pubsub', direction: 'inbound', retry: 'delivery' }], breakers: [{ app: 'orders', target: 'payments', policy: 'shared', state: states.get('payments') === 'healthy' ? 'closed' : 'open', consecutiveFailures: states.get('payments') === 'healthy' ? 0 : 23, openUntil: states.get('payments') === 'healthy' ? null : iso(Date.now() + 4000) }, { app: 'gateway', target: 'notifications', policy: 'shared', state: 'closed', consecutiveFailures: 0, openUntil: null }] })],
  ['GET', /^\/dapr\/actors$/, (m, q) => [{ type: 'Basket', app: 'basket', active: 214, entities: q.get('entities') === 'Basket' ? Array.from({ length: 214 }, (_, i) => `usr_${hash(i, 3).toString(16)}`) : null }, { type: 'dapr.internal.default.orders.workflow', app: 'orders', active: 37, entities: null }]],
  ['GET', /^\/dapr\/locks$/, () => [{ store: 'lockstore', resource: 'orders-sweep', owner: 'orders-5002', expiresAt: iso(Date.now() + 21_000) }]],
  ['GET', /^\/dapr\/jobs$/, () => ({ next: null, items: [{ app: 'orders', name: 'sweep-orders', schedule: '@every 30s', dueAt: iso(Date.now() + 12_000), repeats: null, fired: 118, data: null }, { app: 'inventory', name: 'expire-reservations', schedule: '0 */5 * * * *', dueAt: iso(Date.now() + 190_000), repeats: 10, fired: 4, data: '{"batch":100}' }] })],
  ['GET', /^\/dapr\/reminders$/, () => ({ items: Array.from({ length: 40 }, (_, i) => ({ actorType: 'Basket', actorId: `usr_${hash(i, 3).toString(16)}`, name: 'expire', dueAt: iso(start + i * 60_000), period: 'PT1H' })), next: null })],
  ['GET', /^\/dapr\/calls$/, calls],
  ['GET', /^\/dapr\/topics$/, () => topics],
  ['GET', /^\/dapr\/topics\/([^/]+)\/([^/]+)\/messages$/, ([, server, topic], q) => {
    const t = topics.find((x) => x.topic === decode(topic) && x.server === decode(server)) ?? missing(`topic ${topic}`);
    const limit = Number(q.get('limit') ?? 50);
    const message = (p, o) => ({ partition: p.partition, offset: o, key: orderId(o), at: iso(start - (p.next - o) * 4000), headers: { traceparent: `00-${traceId(o)}-${'0'.repeat(15)}1-01` }, value: JSON.stringify({ specversion: '1.0', id: `evt-${o}`, type: `orders.v1.${t.topic}`, source: 'orders', subject: orderId(o), traceparent: `00-${traceId(o)}-${'0'.repeat(15)}1-01`, data: { orderId: orderId(o), status: 'CONFIRMED' } }) });
    const newest = (p) => Array.from({ length: Math.min(limit, p.next - p.first) }, (_, i) => message(p, p.next - 1 - i)).toReversed();
    if (!q.has('partition')) return { items: t.partitions.flatMap(newest).toSorted((a, b) => (a.at < b.at ? -1 : 1)).slice(-limit), next: null };
    const p = t.partitions.find((x) => x.partition === Number(q.get('partition'))) ?? missing('such partition');
    if (!q.has('from')) return { items: newest(p), next: null };
    const from = Math.max(p.first, Number(q.get('from')));
    const items = [];
    for (let o = from; o < p.next && items.length < limit; o++) items.push(message(p, o));
    return { items, next: from + items.length < p.next ? String(from + items.length) : null };
  }],
  ['GET', /^\/dead-letters$/, (m, q) => deadLetters.filter((d) => q.get('all') === 'true' || !d.replayedAt)],
  ['GET', /^\/dead-letters\/([^/]+)$/, ([, id]) => deadLetters.find((d) => d.id === decode(id)) ?? missing(`dead letter ${id}`)],
  ['POST', /^\/dead-letters\/replay$/, (m, q, body) => { for (const d of deadLetters) if (body.ids.includes(d.id)) d.replayedAt = iso(Date.now()); note('deadLetter.replay', body.ids.join(', ')); send('deadLetters', { count: deadLetters.filter((d) => !d.replayedAt).length }); return { replayed: body.ids.length }; }],
  ['POST', /^\/dead-letters\/drop$/, (m, q, body) => { deadLetters = deadLetters.filter((d) => !body.ids.includes(d.id)); note('deadLetter.drop', body.ids.join(', ')); send('deadLetters', { count: deadLetters.filter((d) => !d.replayedAt).length }); return { dropped: body.ids.length }; }],
  ['GET', /^\/dapr\/state$/, () => [{ app: 'basket', store: 'statestore', type: 'state.redis', browsable: true, why: null }, { app: 'users', store: 'statestore', type: 'state.redis', browsable: true, why: null }, { app: 'orders', store: 'orderstate', type: 'state.etcd', browsable: false, why: 'holds the state of workflows and actors: look at those' }]],
  ['GET', /^\/dapr\/state\/([^/]+)\/([^/]+)$/, (m, q) => {
    const keys = [...state.keys()].sort().filter((k) => k.startsWith(q.get('prefix') ?? '') && k > (q.get('after') ?? ''));
    const limit = Number(q.get('limit') ?? 100);
    return { items: keys.slice(0, limit).map((key) => ({ key, etag: state.get(key).etag, expiresAt: state.get(key).expiresAt, bytes: state.get(key).value.length })), next: keys.length > limit ? keys[limit - 1] : null };
  }],
  ['GET', /^\/dapr\/state\/([^/]+)\/([^/]+)\/([^/]+)$/, ([, , , key]) => (state.has(decode(key)) ? { key: decode(key), ...state.get(decode(key)) } : missing('such key'))],
  ['PUT', /^\/dapr\/state\/([^/]+)\/([^/]+)\/([^/]+)$/, ([, , , key], q, body, req) => { const old = state.get(decode(key)); if (old && req.headers['if-match'] !== old.etag) throw new Problem(412, 'Somebody else changed it', 'The value has another ETag by now: look at it again.'); state.set(decode(key), { ...old, value: typeof body === 'string' ? body : JSON.stringify(body), etag: String(Number(old?.etag ?? 0) + 1) }); note('state.put', decode(key)); send('changes', { areas: ['state'], stores: ['statestore'] }); }],
  ['DELETE', /^\/dapr\/state\/([^/]+)\/([^/]+)\/([^/]+)$/, ([, , , key]) => { state.delete(decode(key)); note('state.delete', decode(key)); send('changes', { areas: ['state'], stores: ['statestore'] }); }],
  ['GET', /^\/dapr\/configuration$/, () => config],
  ['PUT', /^\/dapr\/configuration\/([^/]+)\/([^/]+)$/, ([, , key], q, body) => { const item = config.find((c) => c.key === decode(key)) ?? missing('such item'); item.value = body.value; item.version = String(Number(item.version) + 1); note('configuration.set', item.key, { value: body.value }); send('changes', { areas: ['settings'], stores: [] }); }],
  ['GET', /^\/workflows$/, (m, q) => workflowPage(q)],
  ['GET', /^\/workflows\/([^/]+)\/([^/]+)$/, ([, , id]) => { const i = indexOf(decode(id)); return i < 0 || overrides.get(decode(id))?.gone ? missing(`workflow instance ${decode(id)}`) : story(i).instance; }],
  ['GET', /^\/workflows\/([^/]+)\/([^/]+)\/history$/, ([, , id]) => { const i = indexOf(decode(id)); if (i < 0) missing('such instance'); const { events: e, steps } = story(i); return { events: e, steps }; }],
  ['POST', /^\/workflows\/([^/]+)\/([^/]+)\/(raise|suspend|resume|terminate|rerun)$/, ([, app, rawId, action], q, body) => {
    const id = decode(rawId);
    const i = indexOf(id);
    if (i < 0) missing('such instance');
    const over = overrides.get(id) ?? { events: [] };
    const now = Date.now();
    if (action === 'rerun') { note('workflow.rerun', id, body); return { id: orderId(i + 1) }; }
    over.status = { suspend: 'suspended', resume: 'running', terminate: 'terminated', raise: summary(i).status }[action];
    over.events.push({ at: now, type: { raise: 'eventRaised', suspend: 'executionSuspended', resume: 'executionResumed', terminate: 'executionTerminated' }[action], kind: action === 'raise' ? 'event' : action, name: body?.event ?? null, input: body?.data ?? null });
    overrides.set(id, over);
    note(`workflow.${action}`, id, body);
    send('workflows', { app, id, name: 'OrderWorkflow', status: over.status, updatedAt: iso(now) });
  }],
  ['DELETE', /^\/workflows\/([^/]+)\/([^/]+)$/, ([, , id]) => { overrides.set(decode(id), { gone: true, status: 'terminated' }); note('workflow.purge', decode(id)); }],
];

function stream(request, response, query) {
  const wanted = new Set((query.get('topics') ?? '').split(','));
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(': hello\n\n');
  const tell = (topic, data, id = nextEvent++) => { if (wanted.has(topic)) response.write(`event: ${topic}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`); };
  listeners.add(tell);
  tell('status', status());
  tell('deadLetters', { count: deadLetters.filter((d) => !d.replayedAt).length });
  const apps_ = query.getAll('app');
  const timers = [
    setInterval(() => tell('status', status()), 2000),
    setInterval(() => tell('metrics', sample()), 5000),
    setInterval(() => tell('dapr', { calls: calls(), topics: topics.map((t) => ({ pubsub: t.pubsub, server: t.server, topic: t.topic, messages: t.messages, lag: t.groups.reduce((n, g) => n + g.lag, 0), groups: t.groups.map(({ group, lag, pending }) => ({ group, lag, pending })) })) }), 2000),
    setInterval(() => { const batch = []; for (let i = 0; i < 6; i++) { const l = { ...line(lines++), at: iso(Date.now()) }; if ((apps_.length === 0 || apps_.includes(l.app)) && !query.get('trace') && (!query.get('text') || l.text.includes(query.get('text')))) batch.push(l); } if (batch.length) tell('logs', batch); }, 400),
    setInterval(() => { const i = 6 + (hash(Date.now()) % 30); tell('workflows', { ...summary(i), updatedAt: iso(Date.now()) }); tell('traces', { ...traceSummary(i), at: iso(Date.now()), traceId: hash(Date.now(), 1).toString(16).padStart(32, '0') }); }, 1500),
    setInterval(() => response.write(': alive\n\n'), 15_000),
  ];
  request.on('close', () => { listeners.delete(tell); timers.forEach(clearInterval); });
}

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.woff': 'font/woff' };
const policy = "default-src 'self'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
function file(path, response) {
  const root = resolve(folder);
  let name = join(root, normalize(path));
  if (!name.startsWith(root) || !existsSync(name) || statSync(name).isDirectory()) name = join(root, 'index.html');
  response.writeHead(200, { 'content-type': types[extname(name)] ?? 'application/octet-stream', 'content-security-policy': policy, 'x-content-type-options': 'nosniff' });
  createReadStream(name).pipe(response);
}

createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (!url.pathname.startsWith('/api/v1/')) return folder ? file(url.pathname, response) : response.writeHead(404).end();
  const path = url.pathname.slice('/api/v1'.length);
  const refuse = (code, title, detail) => response.writeHead(code, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ type: 'about:blank', title, status: code, detail }));
  if (!signedIn && path !== '/session') return refuse(401, 'Not signed in', 'Sign in first.');
  if (path === '/stream') return stream(request, response, url.searchParams);
  if (broken.some((b) => path.startsWith(b))) return refuse(503, 'Not available', 'This part of the platform is down.');
  if (request.method !== 'GET' && request.headers['x-console'] !== '1') return refuse(403, 'Forbidden', 'The header X-Console is missing.');
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    for (const [method, pattern, answer] of routes) {
      const match = method === request.method && pattern.exec(path);
      if (!match) continue;
      const body = answer(match, url.searchParams, text ? (request.headers['content-type'] === 'text/plain' ? text : JSON.parse(text)) : undefined, request);
      if (slow) await new Promise((r) => setTimeout(r, slow));
      return body === undefined ? response.writeHead(204).end() : response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    }
    refuse(404, 'Not found', `There is no ${path}.`);
  } catch (e) {
    if (e instanceof Problem) refuse(e.code, e.message, e.detail);
    else refuse(500, 'The mock failed', String(e.stack));
  }
}).listen(port, '127.0.0.1', () => console.log(`mock on http://127.0.0.1:${port}${folder ? `, serving ${folder}` : ''}`));
