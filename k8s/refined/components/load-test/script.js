// The load test for k6:  k6 run -e GATEWAY_URL=http://localhost:8080 -e USERS=100 loadtest/script.js
// Customers register, browse, order, wait for the decision and for the message that tells them of it.
// GATEWAY_URL: the gateway. OPERATOR_EMAIL, OPERATOR_PASSWORD: an operator, who brings products with enough stock; without one customers order what there is. USERS: the peak of the stages is scaled to it. DURATION_SCALE: 0.5 halves every stage.
import { check, sleep } from "k6";
import exec from "k6/execution";
import http from "k6/http";
import { Counter, Rate, Trend } from "k6/metrics";

const scenario = JSON.parse(open("./scenario.json"));
const gateway = __ENV.GATEWAY_URL || "http://localhost:8080";
const run = __ENV.RUN || `${Date.now()}`;
const peak = Math.max(...scenario.stages.map((stage) => stage.users));
const scale = Number(__ENV.USERS || peak) / peak;
const stretch = Number(__ENV.DURATION_SCALE || 1);

const errors = new Rate("error_rate");
const decided = new Trend("order_decided", true);
// From the commit of an order's decision in its service to the moment its customer could read the message that another service made of the event:
// outbox, broker, consumer and state, as two services of the platform see them. Never a guess; limited below by the pause between two looks.
const consumed = new Trend("event_latency", true);
const orders = new Counter("orders_confirmed");

export const options = {
  scenarios: {
    customers: {
      executor: "ramping-vus",
      startVUs: 1,
      stages: scenario.stages.map((stage) => ({ duration: `${Math.max(1, Math.round(stage.seconds * stretch))}s`, target: Math.ceil(stage.users * scale) })),
      gracefulStop: "30s",
    },
  },
  thresholds: {
    "http_req_duration{kind:request}": [`p(95)<${scenario.thresholds.requestP95Milliseconds}`],
    http_req_failed: [`rate<${scenario.thresholds.failedRequests}`],
    order_decided: [`p(95)<${scenario.thresholds.orderDecidedP95Milliseconds}`],
    event_latency: [`p(95)<${scenario.thresholds.eventP95Milliseconds}`],
    error_rate: [`rate<${scenario.thresholds.errorRate}`],
  },
  summaryTrendStats: ["avg", "med", "p(90)", "p(95)", "p(99)", "max", "count"],
};

/** @type {string | undefined} Of this customer; each virtual user is one. */
let token;
let known = false;

/**
 * @param {string} method
 * @param {string} path
 * @param {object | null} body
 * @param {Record<string, string>} headers
 * @param {string} kind What the request is counted as; long waits are no slow answers.
 */
function send(method, path, body, headers = {}, kind = "request") {
  const all = { ...headers, ...(body ? { "content-type": "application/json" } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) };
  return http.request(method, `${gateway}/api/v1/${path}`, body ? JSON.stringify(body) : null, { headers: all, tags: { kind, name: `${method} ${path.split(/[/?]/)[0]}` } });
}

/** Products of which there is enough, where an operator can bring them; their ids are what every customer gets. */
export function setup() {
  if (!__ENV.OPERATOR_EMAIL) return [];
  const answer = send("POST", "auth/login", { email: __ENV.OPERATOR_EMAIL, password: __ENV.OPERATOR_PASSWORD }, {}, "account");
  token = String(answer.json("data.accessToken"));
  const products = Array.from({ length: scenario.productCount }, (_, i) => ({ sku: `${scenario.productPrefix}${i}`, name: `Load product ${i}`, priceMinor: 100 + i, stock: 1000000000 }));
  const imported = send("POST", "inventory/import", { products }, {}, "account");
  if (imported.status >= 300) exec.test.abort(`The products cannot be imported: ${imported.status} ${imported.body}`);
  return products.map((p) => p.sku);
}

function signIn() {
  const account = { email: `load-${run}-${exec.vu.idInTest}@example.test`, password: "Load-Passw0rd-1" };
  if (!known) known = send("POST", "auth/register", { ...account, firstName: "Load", lastName: "Test" }, {}, "account").status < 300;
  const answer = send("POST", "auth/login", account, {}, "account");
  if (answer.status === 200) token = String(answer.json("data.accessToken"));
  return token !== undefined;
}

/** Ends well when the order was confirmed and its customer was told. */
function order(products) {
  const browsed = send("GET", "inventory/products?limit=20", null);
  if (!check(browsed, { "the catalogue answers": (r) => r.status === 200 })) return false;

  const choice = products.length > 0 ? products : browsed.json("data").filter((p) => p.available > 0).map((p) => p.id);
  if (!check(choice, { "there is something to order": (c) => c.length > 0 })) return false;
  const product = choice[Math.floor(Math.random() * choice.length)];
  const placed = send("POST", "orders", { items: [{ productId: product, quantity: 1 }], shippingAddress: "1 Load Street, Test City" },
    { "idempotency-key": `${run}-${exec.vu.idInTest}-${exec.vu.iterationInInstance}` });
  if (!check(placed, { "the order is accepted": (r) => r.status === 202 })) return false;
  const id = String(placed.json("data.id"));
  const accepted = Date.now();

  const read = send("GET", `orders/${id}`, null, { prefer: `wait=${scenario.orderWaitSeconds}` }, "wait");
  const status = String(read.json("data.status"));
  if (!check(read, { "the order is confirmed": () => status === "CONFIRMED" })) return false;
  decided.add(Date.now() - accepted);
  orders.add(1);

  const patience = Date.now() + scenario.eventWaitSeconds * 1000;
  while (Date.now() < patience) {
    const answer = send("GET", "notifications", null, {}, "poll");
    const list = answer.json("data");
    const message = Array.isArray(list) ? list.find((m) => m.orderId === id && m.type === "order_confirmed") : undefined;
    if (message) {
      consumed.add(Math.max(0, Date.now() - Date.parse(message.at)));
      check(message, { "the customer is told of the order": () => true });
      return check(send("GET", "orders?limit=10", null), { "the customer's orders answer": (r) => r.status === 200 });
    }
    sleep(scenario.eventPollMilliseconds / 1000);
  }
  return check(null, { "the customer is told of the order": () => false });
}

/** @param {string[]} products */
export default function (products) {
  if (token === undefined && !signIn()) {
    errors.add(1);
    sleep(1);
    return;
  }
  errors.add(!order(products));
  const [least, most] = scenario.thinkMilliseconds;
  sleep((least + Math.random() * (most - least)) / 1000);
  // A token is good for fifteen minutes.
  if (exec.vu.iterationInInstance % 200 === 199) token = undefined;
}
