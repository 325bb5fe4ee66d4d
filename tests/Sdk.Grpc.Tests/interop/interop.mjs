// The other side of the interop tests, in @grpc/grpc-js:
//   node interop.mjs MODULES PROTO client ADDRESS    calls our server; one line of JSON per check
//   node interop.mjs MODULES PROTO server            serves our client; prints its port, ends with its input
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [modules, proto, mode, address] = process.argv.slice(2);
const require = createRequire(join(modules, 'node_modules', 'x.js'));
const grpc = require('@grpc/grpc-js');
const { Echo } = grpc.loadPackageDefinition(require('@grpc/proto-loader').loadSync(proto, { keepCase: true, defaults: true })).sdk.tests;

if (mode === 'client') await runClient();
else runServer();

async function runClient() {
  const client = new Echo(address, grpc.credentials.createInsecure(), {
    'grpc.keepalive_time_ms': 200,
    'grpc.keepalive_timeout_ms': 5000,
    'grpc.keepalive_permit_without_calls': 1,
  });
  const say = (ping, metadata = new grpc.Metadata(), options = {}) =>
    new Promise((resolve) => {
      const seen = {};
      const call = client.Say(ping, metadata, options, (error, pong) => setImmediate(() => resolve({ ...seen, error, pong })));
      call.on('metadata', (headers) => (seen.headers = headers));
      call.on('status', (status) => (seen.trailers = status.metadata));
      if (options.cancel) call.cancel();
    });
  const readAll = (call) =>
    new Promise((resolve) => {
      const pongs = [];
      call.on('data', (pong) => pongs.push(pong));
      call.on('error', (error) => resolve({ pongs, error }));
      call.on('end', () => resolve({ pongs }));
    });
  const report = (check, result) => console.log(JSON.stringify({ check, result }));

  const metadata = new grpc.Metadata();
  metadata.add('x-text', 'one');
  metadata.add('x-data-bin', Buffer.from([0, 255, 7]));
  const unary = await say({ text: 'hi', count: 3 }, metadata);
  if (unary.error) throw unary.error;
  report('unary', [unary.pong.text, unary.pong.count, unary.headers.get('x-text')[0], unary.headers.get('x-data-bin')[0].toString('hex'), unary.trailers.get('x-trailer')[0], unary.trailers.get('x-trailer-bin')[0].toString('hex')]);

  const big = await say({ data: Buffer.alloc(3_000_000, 5) });
  report('big', [big.pong.data.length, big.pong.data.every((b) => b === 5)]);

  const failed = await say({ text: 'fail' });
  report('error', [failed.error.code, failed.error.details, failed.error.metadata.get('x-own')[0], failed.error.metadata.get('grpc-status-details-bin')[0].toString('hex')]);

  report('unimplemented', await new Promise((resolve) => client.NotThere({}, (error) => resolve(error.code))));
  report('deadline', (await say({ text: 'hang' }, new grpc.Metadata(), { deadline: Date.now() + 300 })).error.code);
  report('cancel', (await say({ text: 'hang' }, new grpc.Metadata(), { cancel: true })).error.code);

  const collected = await new Promise((resolve) => {
    const call = client.Collect((error, pong) => resolve(error?.code ?? [pong.text, pong.count]));
    for (const text of ['a', 'b', 'c']) call.write({ text });
    call.end();
  });
  report('client stream', collected);

  const repeated = await readAll(client.Repeat({ text: 'r', count: 100 }));
  report('server stream', [repeated.pongs.length, repeated.pongs.at(-1).count, repeated.error?.code ?? 0]);

  const chat = client.Chat();
  const echoed = [];
  await new Promise((resolve) => {
    chat.on('data', (pong) => {
      echoed.push(pong.count);
      if (pong.count < 19) chat.write({ count: pong.count + 1 });
      else chat.end();
    });
    chat.on('end', resolve);
    chat.write({ count: 0 });
  });
  report('duplex', echoed.length);

  const gzip = new Echo(address, grpc.credentials.createInsecure(), { 'grpc.default_compression_algorithm': 2 });
  report('gzip', await new Promise((resolve) => gzip.Say({ text: 'z'.repeat(10_000) }, (error, pong) => resolve(error?.details ?? pong.text.length))));

  // Quiet for some keep-alive intervals, then on the same connection.
  const idle = client.Chat().on('error', () => {});
  await new Promise((resolve) => setTimeout(resolve, 1000));
  report('after keep-alive', (await say({ text: 'still' })).pong.text);
  idle.cancel();
  client.close();
  gzip.close();
}

function runServer() {
  const server = new grpc.Server({ 'grpc.keepalive_time_ms': 200, 'grpc.max_receive_message_length': 8 << 20, 'grpc.default_compression_algorithm': 2 });
  const echo = ({ text, data, count }) => ({ text, data, count });
  server.addService(Echo.service, {
    Say(call, answer) {
      const trailers = new grpc.Metadata();
      trailers.set('x-trailer', 'tail');
      trailers.set('x-trailer-bin', Buffer.from([1, 2, 3, 4]));
      const headers = new grpc.Metadata();
      for (const key of ['x-text', 'x-data-bin']) for (const value of call.metadata.get(key)) headers.add(key, value);
      if (call.request.text === 'hang') return;
      if (call.request.text === 'fail') {
        trailers.set('grpc-status-details-bin', Buffer.from([9, 8, 7]));
        return answer({ code: grpc.status.FAILED_PRECONDITION, details: 'nicht größer als 100%', metadata: trailers });
      }
      call.sendMetadata(headers);
      answer(null, echo(call.request), trailers);
    },
    Collect(call, answer) {
      let text = '';
      let count = 0;
      call.on('data', (ping) => {
        text += ping.text;
        count++;
      });
      call.on('end', () => answer(null, { text, count }));
    },
    Repeat(call) {
      for (let count = 0; count < call.request.count; count++) call.write({ ...echo(call.request), count });
      call.end();
    },
    Chat(call) {
      call.on('data', (ping) => call.write(echo(ping)));
      call.on('end', () => call.end());
    },
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
  process.stdin.on('close', () => process.exit(0)).resume();
}
