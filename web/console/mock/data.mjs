// A stack that never was: 100,000 workflow instances and 1,000,000 log lines, each made when it is asked for, always the same.

export const counts = { workflows: 100_000, lines: 1_000_000 };
export const start = Date.now();
export const apps = ['gateway', 'users', 'orders', 'inventory', 'payments', 'basket', 'webhooks', 'notifications'];
const iso = (ms) => new Date(ms).toISOString();

export function hash(n, salt = 0) {
  let x = (n ^ (salt * 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
const pick = (list, n, salt) => list[hash(n, salt) % list.length];
const hex = (n, salt, length) => Array.from({ length: Math.ceil(length / 8) }, (_, i) => hash(n, salt * 31 + i + 1).toString(16).padStart(8, '0')).join('').slice(0, length);

// Orders -------------------------------------------------------------------------------------------------------------
export const orderId = (i) => `ORD-${i.toString(36).padStart(5, '0').toUpperCase()}${hex(i, 7, 6).toUpperCase()}`;
export function indexOf(id) {
  const i = /^ORD-[0-9A-Z]{11}$/.test(id) ? parseInt(id.slice(4, 9), 36) : -1;
  return i >= 0 && i < counts.workflows && orderId(i) === id ? i : -1;
}
export const traceId = (i) => hex(i, 99, 32);
const scenarioOf = (i) => (i === 0 ? 'retrying' : i === 1 ? 'approving' : i === 2 ? 'approved' : i === 3 ? 'declined' : i === 4 ? 'retried' : i === 5 ? 'broken' : hash(i, 3) % 100 < 70 ? 'plain' : pick(['plain', 'retried', 'declined', 'approved', 'broken', 'cancelled'], i, 4));
const age = (i) => (i < 2 ? 48_000 + i * 400_000 : 60_000 + i * 3100 + (hash(i, 5) % 2000));

export const overrides = new Map();

const products = [['MUG-001', 'Enamel mug', 1450], ['TEE-014', 'Linen shirt', 5900], ['LMP-203', 'Desk lamp', 12900], ['BAG-077', 'Canvas bag', 7450], ['PEN-410', 'Brass pen', 3900], ['CUP-012', 'Espresso cup', 980], ['RUG-100', 'Wool rug', 48_900]];

/** The life of an order: its events and its steps, as the API gives them. */
export function story(i, now = Date.now()) {
  const id = orderId(i);
  const kind = scenarioOf(i);
  const began = start - age(i);
  const [sku, name, price] = pick(products, i, 8);
  const quantity = 1 + (hash(i, 9) % 3);
  const order = { orderId: id, userId: `usr_${hex(i, 10, 10)}`, items: [{ productId: sku, name, quantity, unitPriceMinor: price }], totalMinor: price * quantity, currency: 'USD', shippingAddress: '12 St James Square, London' };
  const events = [];
  const steps = [];
  let at = began;
  let turn = 0;
  let number = 0;
  let status = 'running';
  let output;
  let customStatus = null;
  let failure = null;
  const push = (type, extra = {}) => {
    const event = { number: number++, turn, type, name: null, at: iso(at), detail: {}, ...extra };
    events.push(event);
    return event;
  };
  const wake = () => {
    turn++;
    push('workflowStarted');
  };
  const schedule = (stepName, kindName, input, extra = {}) => {
    const event = push(kindName === 'activity' ? 'taskScheduled' : kindName === 'child' ? 'childCreated' : kindName === 'wait' ? 'eventSubscribed' : 'timerCreated', { name: stepName, input });
    event.detail = { action: event.number };
    const step = { number: steps.length + 1, action: event.number, turn, kind: kindName, name: stepName, startedAt: iso(at), offsetMs: at - began, ms: null, state: 'open', input, ...extra };
    steps.push(step);
    return step;
  };
  const finish = (step, ms, result) => {
    at = Date.parse(step.startedAt) + ms;
    wake();
    push(result.failure ? 'taskFailed' : step.kind === 'timer' ? 'timerFired' : step.kind === 'wait' ? 'eventRaised' : 'taskCompleted', { name: step.name, output: result.output, failure: result.failure, detail: { of: step.action } });
    Object.assign(step, { ms, state: result.failure ? 'failed' : 'succeeded', output: result.output, failure: result.failure });
    at += 1 + (hash(i, number) % 3);
  };
  const mark = (kindName, stepName, extra = {}) => steps.push({ number: steps.length + 1, action: null, kind: kindName, name: stepName, startedAt: iso(at), offsetMs: at - began, ms: null, state: 'happened', ...extra });
  const cost = (salt, scale = 30) => 4 + (hash(i, salt) % scale);
  const activity = (stepName, input, result, extra) => {
    customStatus = stepName;
    finish(schedule(stepName, 'activity', input, extra), cost(number, 40), { output: result });
  };

  wake();
  push('executionStarted', { name: 'OrderWorkflow', input: order });
  mark('start', 'OrderWorkflow', { input: order });
  at += 2;
  const cancel = schedule('cancel', 'wait', null);
  activity('ValidateOrder', id, { alreadyDecided: false, refusal: null, approvalTimeoutSeconds: kind.startsWith('approv') ? 3600 : 0 });
  activity('ReserveStock', { orderId: id, hold: !kind.startsWith('approv') }, { refusal: null, detail: `res_${hex(i, 12, 8)}` });

  const approving = () => {
    customStatus = 'AwaitApproval';
    const wait = schedule('approval', 'wait', null);
    const timer = schedule('until the approval is late', 'timer', null);
    return [wait, timer];
  };
  const unreachable = { type: 'RpcException', message: 'failed to invoke, id: payments, err: app is not healthy', stackTrace: '   at Dapr.Client.DaprClientGrpc.InvokeMethodGrpcAsync\n   at DaprPlatform.Workflows.Activities.AuthorizePayment.RunAsync' };
  const attempts = (n, then) => {
    customStatus = 'AuthorizePayment';
    let delay = 200;
    for (let attempt = 1; ; attempt++) {
      const step = schedule('AuthorizePayment', 'activity', id, { attempt });
      if (n === attempt) {
        if (then) finish(step, cost(number), { output: then });
        return step;
      }
      finish(step, 8 + attempt * 3, { failure: unreachable });
      const timer = schedule('before a retry', 'timer', null);
      if (Date.parse(timer.startedAt) + delay > now) return timer;
      finish(timer, delay, {});
      delay = Math.min(10_000, delay * 2);
    }
  };
  const undo = (reason) => {
    for (const [stepName, result] of [['RefundPayment', { refusal: null, detail: 'nothing to refund' }], ['ReleaseStock', { refusal: null }]]) activity(stepName, id, result, { compensation: true });
    activity('MarkCancelled', { orderId: id, reason }, { refusal: null }, { compensation: true });
    end('completed', { outcome: 'cancelled', reason });
  };
  const end = (state, result, why = null) => {
    status = state;
    output = result;
    failure = why;
    customStatus = null;
    push('executionCompleted', { output: result, failure: why });
    mark('end', state, { state: state === 'completed' ? 'succeeded' : 'failed', output: result, failure: why });
  };
  const confirm = () => {
    activity('CommitStock', id, { refusal: null });
    activity('ConfirmOrder', { orderId: id, paymentId: `pay_${hex(i, 14, 8)}` }, { refusal: null });
    end('completed', { outcome: 'confirmed', reason: null });
  };

  if (kind === 'approving') approving();
  else if (kind === 'retrying') attempts(99);
  else if (kind === 'approved') {
    const [wait, timer] = approving();
    finish(wait, 2_437_000 % age(i) || 9000, { output: { approved: true, by: 'ops@platform.local', note: 'known customer' } });
    Object.assign(timer, { ms: at - Date.parse(timer.startedAt), state: 'succeeded', output: 'cancelled' });
    activity('HoldStock', id, { refusal: null });
    attempts(1, { refusal: null, detail: `pay_${hex(i, 14, 8)}` });
    confirm();
  } else if (kind === 'declined') {
    attempts(1, { refusal: 'PAYMENT_DECLINED', detail: 'insufficient_funds' });
    undo('PAYMENT_DECLINED');
  } else if (kind === 'cancelled') {
    const step = attempts(3);
    step.state = 'open';
    finish(cancel, at - Date.parse(cancel.startedAt), { output: { reason: 'changed my mind', by: 'customer' } });
    undo('CANCELLED_BY_CUSTOMER');
  } else if (kind === 'broken') {
    attempts(2, { refusal: null, detail: `pay_${hex(i, 14, 8)}` });
    const child = schedule('CancelOrderWorkflow', 'child', { orderId: id }, { childId: `${id}:undo` });
    finish(child, 214, { failure: { type: 'TaskFailedException', message: 'CompensationFailed: RefundPayment gave up after 14 attempts' } });
    end('failed', undefined, { type: 'CompensationFailed', message: 'RefundPayment gave up after 14 attempts: the processor answered 503' });
  } else {
    attempts(kind === 'retried' ? 4 : 1, { refusal: null, detail: `pay_${hex(i, 14, 8)}` });
    confirm();
  }

  const over = overrides.get(id);
  if (over?.status) {
    status = over.status;
    for (const e of over.events ?? []) {
      at = e.at;
      turn++;
      push(e.type, { name: e.name, input: e.input });
      mark(e.kind, e.name ?? '', { input: e.input, state: e.kind === 'terminate' ? 'failed' : 'happened' });
    }
  }
  const awaiting = status === 'running' || status === 'suspended' ? steps.filter((s) => s.state === 'open').map((s) => ({ kind: s.kind === 'wait' ? 'event' : s.kind, name: s.name, since: s.startedAt, until: s.kind === 'timer' ? iso(Date.parse(s.startedAt) + (s.name.startsWith('until') ? 3_600_000 : 10_000)) : null })) : [];
  return {
    instance: { app: 'orders', id, name: 'OrderWorkflow', status, createdAt: iso(began), updatedAt: iso(at), customStatus, input: order, output, failure, parent: null, awaiting, traceId: traceId(i) },
    events,
    steps,
    total: order.totalMinor,
  };
}

const quick = new Map();
/** What the list shows of an instance, without its whole story. */
export function summary(i) {
  const id = orderId(i);
  const over = overrides.get(id);
  if (!over && quick.has(i)) return quick.get(i);
  const kind = scenarioOf(i);
  const created = start - age(i);
  const status = over?.status ?? (kind === 'retrying' || kind === 'approving' ? 'running' : kind === 'broken' ? 'failed' : 'completed');
  const made = { app: 'orders', id, name: 'OrderWorkflow', status, createdAt: iso(created), updatedAt: iso(created + 90 + (hash(i, 6) % 900)), customStatus: kind === 'retrying' ? 'AuthorizePayment' : kind === 'approving' ? 'AwaitApproval' : null };
  if (!over) quick.set(i, made);
  return made;
}

// Traces -------------------------------------------------------------------------------------------------------------
export function trace(i) {
  const spans = [];
  const id = traceId(i);
  const began = start - age(i) - 14;
  const span = (parent, service, name, kind, offset, ms, extra = {}) => {
    const spanId = hex(i * 100 + spans.length, 55, 16);
    spans.push({ spanId, parentId: parent, service, name, kind, at: iso(began + offset), offsetMs: offset, ms, status: 'unset', attributes: { 'dapr.app_id': service.replace('.daprd', ''), ...extra.attributes }, ...extra.more });
    return spanId;
  };
  const root = span(null, 'gateway', 'POST /api/v1/orders', 'server', 0, 31.4, { attributes: { 'http.request.method': 'POST', 'http.response.status_code': 202, 'url.path': '/api/v1/orders', 'order.id': orderId(i) } });
  const out = span(root, 'gateway.daprd', 'CallLocal/orders/platform.orders.Orders/Place', 'client', 2.1, 26.2, { attributes: { 'rpc.service': 'ServiceInvocation', 'net.peer.name': 'orders' } });
  const into = span(out, 'orders.daprd', 'CallLocal/orders/platform.orders.Orders/Place', 'server', 3.6, 23.5);
  const place = span(into, 'orders', 'platform.orders.Orders/Place', 'server', 4.2, 22.0, { attributes: { 'rpc.system': 'grpc', 'order.id': orderId(i) } });
  span(place, 'orders', 'INSERT orders', 'client', 5.5, 6.8, { attributes: { 'db.system': 'postgresql', 'db.statement': 'INSERT INTO orders (id, user_id, …)' } });
  const begin = span(place, 'orders.daprd', 'CreateWorkflowInstance/OrderWorkflow', 'client', 13.1, 8.4);
  const flow = span(begin, 'orders.daprd', 'orchestration||OrderWorkflow', 'server', 15, 0.4);
  for (const step of story(i).steps) {
    if (step.kind !== 'activity') continue;
    const offset = Date.parse(step.startedAt) - began;
    const ms = step.ms ?? 12;
    const failed = step.state === 'failed';
    const task = span(flow, 'orders.daprd', `activity||${step.name}`, 'internal', offset, ms, { more: failed ? { status: 'error', message: step.failure.message } : {} });
    const run = span(task, 'orders', `RunActivity/${step.name}`, 'consumer', offset + 1, Math.max(1, ms - 2), { attributes: { 'workflow.instance': orderId(i), 'workflow.attempt': step.attempt ?? 1 }, more: failed ? { status: 'error', message: step.failure.message } : {} });
    const peer = /Stock|Restock/.test(step.name) ? 'inventory' : /Payment/.test(step.name) ? 'payments' : null;
    if (!peer) {
      span(run, 'orders', 'SELECT orders', 'client', offset + 2, Math.max(0.6, ms * 0.4), { attributes: { 'db.system': 'postgresql' } });
      continue;
    }
    const call = span(run, 'orders.daprd', `CallLocal/${peer}/${step.name}`, 'client', offset + 1.6, Math.max(1, ms - 3), { more: failed ? { status: 'error', message: 'app is not healthy' } : {} });
    if (failed) continue;
    const serve = span(call, `${peer}.daprd`, `CallLocal/${peer}/${step.name}`, 'server', offset + 2, Math.max(0.9, ms - 4));
    const work = span(serve, peer, `platform.${peer}/${step.name}`, 'server', offset + 2.4, Math.max(0.8, ms - 5));
    span(work, peer, peer === 'payments' ? 'INSERT payments' : 'UPDATE stock', 'client', offset + 3, Math.max(0.4, ms * 0.35), { attributes: { 'db.system': 'postgresql' } });
  }
  const published = span(place, 'orders.daprd', 'pubsub/order_status_changed', 'producer', 46, 3.2, { attributes: { 'messaging.destination.name': 'order_status_changed' } });
  const delivered = span(published, 'notifications.daprd', 'pubsub/order_status_changed', 'consumer', 52, 9.1);
  span(delivered, 'notifications', 'POST /events/order_status_changed', 'server', 53, 7.4);
  const ms = spans.reduce((m, s) => Math.max(m, s.offsetMs + s.ms), 0);
  return { traceId: id, at: iso(began), ms, spans, orderId: orderId(i) };
}

export function traceSummary(i) {
  const { spans, at, ms } = trace(i);
  return { traceId: traceId(i), at, ms, rootService: 'gateway', rootName: 'POST /api/v1/orders', spans: spans.length, errors: spans.filter((s) => s.status === 'error').length, services: [...new Set(spans.map((s) => s.service.replace('.daprd', '')))], orderId: orderId(i) };
}
export const traceIndex = (id) => {
  for (let i = 0; i < 5000; i++) if (traceId(i) === id) return i;
  return -1;
};

// Logs ---------------------------------------------------------------------------------------------------------------
const texts = [
  ['info', 'Request finished HTTP/2 POST /platform.orders.Orders/Place - 200 in {ms} ms'],
  ['info', 'Order {order} placed for {user}'],
  ['debug', 'Executing DbCommand [Parameters=[@p0], CommandTimeout=30] SELECT o.id, o.state FROM orders AS o WHERE o.id = @p0'],
  ['info', 'Stock reserved for {order}: MUG-001 × 1'],
  ['info', 'Published order_status_changed for {order} to partition 3'],
  ['warn', 'Delivery of order_status_changed took {ms} ms'],
  ['info', 'Workflow turn of {order} committed: 4 events, 1 new'],
  ['debug', 'Heartbeat of worker stream, 0 pending'],
  ['info', 'Mail to ada@example.com handed to mail binding'],
  ['error', 'Call of payments failed: failed to invoke, id: payments, err: app is not healthy'],
];
export const lineId = (i) => `L${String(i).padStart(9, '0')}`;
export function line(i) {
  const noise = hash(i, 21);
  const of = noise % 400 === 0 ? texts[9] : noise % 60 === 0 ? texts[5] : texts[noise % 9];
  const order = hash(i, 22) % 200;
  return {
    id: lineId(i),
    at: iso(start - (counts.lines - i) * 55),
    app: pick(apps, i, 23),
    source: hash(i, 24) % 3 === 0 ? 'sidecar' : 'app',
    level: of[0],
    text: of[1].replace('{ms}', String(1 + (hash(i, 25) % 300))).replace('{order}', orderId(order)).replace('{user}', `usr_${hex(order, 10, 10)}`),
    traceId: of[1].includes('{order}') ? traceId(order) : null,
    fields: noise % 5 === 0 ? { category: 'DaprPlatform.Orders', eventId: noise % 40 } : null,
  };
}

/** The lines of one order, across all apps. */
export function orderLines(i) {
  const { steps, instance } = story(i);
  const lines = [];
  const add = (at, app, source, level, text) => lines.push({ id: `O${String(i).padStart(6, '0')}${String(lines.length).padStart(4, '0')}`, at: iso(at), app, source, level, text, traceId: traceId(i), fields: { orderId: orderId(i) } });
  const began = Date.parse(instance.createdAt);
  add(began - 12, 'gateway', 'app', 'info', `POST /api/v1/orders by ${instance.input.userId}`);
  add(began - 6, 'orders', 'app', 'info', `Order ${orderId(i)} placed, ${instance.input.items.length} item, ${instance.input.totalMinor} ${instance.input.currency}`);
  add(began - 1, 'orders', 'sidecar', 'info', `Workflow OrderWorkflow ${orderId(i)} created`);
  for (const s of steps) {
    if (s.kind !== 'activity') continue;
    const at = Date.parse(s.startedAt);
    const peer = /Stock|Restock/.test(s.name) ? 'inventory' : /Payment/.test(s.name) ? 'payments' : 'orders';
    add(at + 1, 'orders', 'sidecar', 'debug', `activity ${s.name} of ${orderId(i)} dispatched`);
    if (s.state === 'failed') {
      add(at + s.ms, 'orders', 'app', 'warn', `${s.name} of ${orderId(i)} failed, attempt ${s.attempt}: ${s.failure.message}`);
      add(at + s.ms, 'orders', 'sidecar', 'error', `failed to invoke, id: ${peer}, err: app is not healthy`);
    } else if (s.ms) add(at + s.ms, peer, 'app', 'info', `${s.name} of ${orderId(i)} done in ${s.ms} ms`);
  }
  if (instance.status === 'completed') {
    add(Date.parse(instance.updatedAt) + 2, 'orders', 'app', 'info', `Order ${orderId(i)} is ${instance.output.outcome}`);
    add(Date.parse(instance.updatedAt) + 11, 'notifications', 'app', 'info', `Mail about ${orderId(i)} handed to the binding`);
  }
  return lines.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id < b.id ? -1 : 1));
}
