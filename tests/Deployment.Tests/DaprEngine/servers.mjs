// Stands in for what is only asked whether it is there: takes connections on the ports of the arguments, and answers GET /healthz on that of --healthz-port.
import http from "node:http";
import net from "node:net";

const args = process.argv.slice(2);
const value = (flag) => args[args.indexOf(flag) + 1];
const ports = args.includes("--port") ? [value("--port")] : args;
for (const port of ports) net.createServer((socket) => socket.destroy()).listen(Number(port), "127.0.0.1");
if (args.includes("--healthz-port")) http.createServer((_, response) => response.end("ok")).listen(Number(value("--healthz-port")), "127.0.0.1");
