using System.Diagnostics;
using System.Globalization;
using DaprPlatform.Benchmarks;
using DaprPlatform.Benchmarks.Actors;

// Calls of actors and reminders fired, through any sidecar that speaks Dapr's API; the app that hosts the actors and the callers are in this process.
//   --daprd PATH              starts that sidecar with daprd's flags; or
//   --http PORT --app-port P  a sidecar that runs already, with that app port and an actor state store
var options = new Dictionary<string, string>();
for (var i = 0; i + 1 < args.Length; i += 2)
    options[args[i]] = args[i + 1];
string Text(string name, string unset) => options.GetValueOrDefault(name, unset);
int Number(string name, int unset) => int.Parse(Text(name, unset.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
var (actors, clients, seconds, worker, store) = (Number("--actors", 10_000), Number("--clients", 32), Number("--seconds", 5), Text("--worker", "sdk"), Text("--store", "state.in-memory"));
var (http, appPort, reminders, runs) = (Number("--http", 0), Number("--app-port", 0), Number("--reminders", 20_000), Number("--runs", 3));
if (http == 0 && !options.ContainsKey("--daprd"))
{
    await Console.Error.WriteLineAsync("usage: actors-bench (--daprd PATH | --http PORT --app-port PORT) [--worker sdk|bare] [--store TYPE] [--actors N] [--clients N] [--seconds N] [--runs N] [--reminders N]");
    return 2;
}

appPort = appPort != 0 ? appPort : SidecarProcess.FreePort();
var fired = new Fired();
await using var app = await Workers.StartAsync(worker, appPort, fired);
var folder = Directory.CreateTempSubdirectory("actors-bench-").FullName;
SidecarProcess? daprd = null;
try
{
    if (http == 0)
    {
        daprd = await StartSidecarAsync(options["--daprd"]);
        http = daprd.HttpPort;
    }

    await WaitAsync();
    Console.WriteLine($"{actors} actors, {clients} clients, worker {worker}");
    var calls = Enumerable.Range(0, actors).Select(a => Connection.Request("PUT", $"/v1.0/actors/BenchActor/a{a}/method/PingAsync", "1")).ToArray();
    var connections = Enumerable.Range(0, clients).Select(_ => new Connection(http)).ToList();
    var next = -1;
    for (var run = 0; run <= runs; run++)
    {
        var (perSecond, p50, p99) = await Measure.RunAsync(clients, run == 0 ? 2 : seconds, (caller, _) => connections[caller].CallAsync(calls[(uint)Interlocked.Increment(ref next) % (uint)actors]));
        Console.WriteLine($"{(run == 0 ? "warm-up" : $"run {run}"),-10}{perSecond,10:N0} calls/s   p50 {p50,6:N2} ms   p99 {p99,6:N2} ms{Cost()}");
    }

    if (reminders > 0)
    {
        // All are due together, so that nothing but firing is measured.
        var due = TimeSpan.FromSeconds(5 + (reminders / 1500));
        var clock = Stopwatch.StartNew();
        var made = -1;
        await Task.WhenAll(Enumerable.Range(0, clients).Select(caller => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref made) is var number && number < reminders)
            {
                var left = due - clock.Elapsed;
                await connections[caller].CallAsync(Connection.Request("POST", $"/v1.0/actors/BenchActor/a{number % actors}/reminders/r{number}", $"{{\"dueTime\":\"{(long)Math.Max(0, left.TotalMilliseconds)}ms\"}}"));
            }
        })));
        Console.WriteLine($"{reminders} reminders registered in {clock.Elapsed.TotalSeconds:N1} s: {reminders / clock.Elapsed.TotalSeconds:N0}/s; fired meanwhile {fired.Count}");
        while (fired.Count == 0)
            await Task.Delay(1);
        var (begin, before) = (Stopwatch.GetTimestamp(), fired.Count);
        while (fired.Count < reminders && Stopwatch.GetElapsedTime(begin).TotalSeconds < 120)
            await Task.Delay(2);
        var took = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        Console.WriteLine($"fired {fired.Count} in {took:N2} s: {(fired.Count - before) / took:N0}/s{Cost()}");
    }

    connections.ForEach(c => c.Dispose());
    return 0;
}
finally
{
    daprd?.Dispose();
    Directory.Delete(folder, recursive: true);
}

string Cost() => daprd is null
    ? ""
    : $"   sidecar {daprd.ResidentMegabytes:N0} MB, {daprd.ProcessorTime.TotalSeconds:N1} s of processor time; this process {Environment.CpuUsage.TotalTime.TotalSeconds:N1} s";

async Task<SidecarProcess> StartSidecarAsync(string path)
{
    var resources = Directory.CreateDirectory(Path.Combine(folder, "resources")).FullName;
    var option = store == "state.sqlite" ? $"\n  - name: connectionString\n    value: \"{Path.Combine(folder, "state.db")}\"" : "";
    await File.WriteAllTextAsync(Path.Combine(resources, "store.yaml"), $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: store\nspec:\n  type: {store}\n  version: v1\n  metadata:\n  - name: actorStateStore\n    value: \"true\"{option}\n");
    return await SidecarProcess.StartAsync(path, "actors-bench", appPort, "http", resources, "--placement-host-address", Text("--placement", "127.0.0.1:50005"), "--scheduler-host-address", Text("--scheduler", "127.0.0.1:50006"));
}

async Task WaitAsync()
{
    using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{http}") };
    for (var end = DateTime.UtcNow.AddSeconds(30); ;)
    {
        try
        {
            using var answer = await client.PutAsync(new Uri("/v1.0/actors/BenchActor/warm/method/PingAsync", UriKind.Relative), new StringContent("1", System.Text.Encoding.UTF8, "application/json"));
            if (answer.IsSuccessStatusCode)
                return;
        }
        catch (HttpRequestException) when (DateTime.UtcNow < end)
        {
            await Task.Delay(50);
        }

        if (DateTime.UtcNow > end)
            throw new TimeoutException("the sidecar does not host the actors");
    }
}
