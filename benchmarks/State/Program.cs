using System.Diagnostics;
using System.Globalization;
using DaprPlatform.Benchmarks.State;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.State;
using Microsoft.Extensions.Logging.Abstractions;

// What a state store does a second, with the callers given: by itself, and behind the HTTP API of a sidecar in this process.
var callers = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 32;
var seconds = args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 3;
var only = args.Length > 2 ? args[2] : "";
const int Keys = 1000;
var value = System.Text.Encoding.UTF8.GetBytes($"{{\"text\":\"{new string('x', 200)}\"}}");
var folder = Directory.CreateTempSubdirectory("state-bench-").FullName;
var none = new Dictionary<string, string>();
Console.WriteLine($"{callers} callers, {seconds} s each, {value.Length} bytes a value");
try
{
    await using var engine = await Engine.OpenAsync(new EngineOptions { DataDirectory = folder });
    (string Type, Func<ComponentSpec, IStateStore> Create, (string, string) Option)[] stores =
    [
        ("state.in-memory", spec => new InMemoryStateStore(spec), ("none", "")),
        ("state.redis", spec => new RedisStateStore(spec), ("redisHost", "localhost")),
        ("state.etcd", spec => new EtcdStateStore(spec), ("endpoints", "localhost")),
        ("state.sqlite", spec => new SqliteStateStore(spec), ("connectionString", Path.Combine(folder, "state.db"))),
    ];
    foreach (var (type, create, (name, option)) in stores.Where(s => s.Type.Contains(only, StringComparison.Ordinal)))
    {
        var spec = new ComponentSpec("store", type, "v1", new Dictionary<string, string> { [name] = option }, none, new SidecarOptions { AppId = "bench" }, engine, NullLoggerFactory.Instance, TimeProvider.System);
        await using var store = create(spec);
        await store.InitAsync(default);
        await RunAsync($"{type} set", (caller, i) => store.WriteAsync(new StateWrite(StateOperationKind.Upsert, $"bench||{caller * 31 + i & Keys - 1}", value), default).AsTask());
        await RunAsync($"{type} get", async (caller, i) => await store.GetAsync($"bench||{caller * 31 + i & Keys - 1}", Consistency.Strong, none, default));
        await RunAsync($"{type} transaction of 10", (caller, i) => store.TransactAsync([.. Enumerable.Range(0, 10).Select(k => new StateWrite(StateOperationKind.Upsert, $"bench||{caller}-{k}", value))], none, default).AsTask());
    }

    var resources = Directory.CreateDirectory(Path.Combine(folder, "resources")).FullName;
    foreach (var (type, _, (name, option)) in stores)
    {
        await File.WriteAllTextAsync(Path.Combine(resources, $"{type}.yaml"),
            $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {type[6..]}\nspec:\n  type: {type}\n  version: v1\n  metadata:\n  - name: {name}\n    value: \"{(type == "state.sqlite" ? option + "2" : option)}\"\n");
    }

    var options = new SidecarOptions { AppId = "bench", HttpPort = 39501, GrpcPort = 39502, InternalGrpcPort = 39503, MetricsPort = 39504, ResourcesPaths = [resources], ListenAddresses = ["127.0.0.1"] };
    await using var sidecar = new DaprSidecar(engine, options);
    await sidecar.StartAsync();
    var connections = Enumerable.Range(0, callers).Select(_ => new HttpLoad(options.HttpPort)).ToList();
    foreach (var (type, _, _) in stores.Where(s => s.Type.Contains(only, StringComparison.Ordinal)))
    {
        var path = $"/v1.0/state/{type[6..]}";
        var sets = Enumerable.Range(0, Keys).Select(k => HttpLoad.Post(path, $"[{{\"key\":\"k{k}\",\"value\":{System.Text.Encoding.UTF8.GetString(value)}}}]")).ToArray();
        var gets = Enumerable.Range(0, Keys).Select(k => HttpLoad.Get($"{path}/k{k}")).ToArray();
        await RunAsync($"{type} set over HTTP", (caller, i) => connections[caller].CallAsync(sets[(caller * 31 + i) % Keys]));
        await RunAsync($"{type} get over HTTP", (caller, i) => connections[caller].CallAsync(gets[(caller * 31 + i) % Keys]));
    }

    connections.ForEach(c => c.Dispose());
}
finally
{
    Directory.Delete(folder, recursive: true);
}

async Task RunAsync(string what, Func<int, int, Task> operation)
{
    await MeasureAsync(operation, 0.5);
    var (count, elapsed, median, slow) = await MeasureAsync(operation, seconds);
    Console.WriteLine($"{what,-36}{count / elapsed,10:N0} /s   p50 {median,7:N2} ms   p99 {slow,7:N2} ms");
}

async Task<(long Count, double Seconds, double Median, double Slow)> MeasureAsync(Func<int, int, Task> operation, double limit)
{
    var clock = Stopwatch.StartNew();
    var latencies = await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
    {
        var mine = new List<float>(1 << 14);
        for (var i = 0; clock.Elapsed.TotalSeconds < limit; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await operation(caller, i);
            mine.Add((float)Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return mine;
    })));
    var elapsed = clock.Elapsed.TotalSeconds;
    var all = latencies.SelectMany(l => l).Order().ToArray();
    return (all.Length, elapsed, all[all.Length / 2], all[all.Length * 99 / 100]);
}
