using System.Globalization;
using DaprPlatform.Benchmarks;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.State;
using Microsoft.Extensions.Logging.Abstractions;

// What a state store does a second by itself, with the callers given; behind a sidecar it is measured by benchmarks/BuildingBlocks.
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
}
finally
{
    Directory.Delete(folder, recursive: true);
}

async Task RunAsync(string what, Func<int, int, Task> operation)
{
    await Measure.RunAsync(callers, 0.5, operation);
    var (perSecond, median, slow) = await Measure.RunAsync(callers, seconds, operation);
    Console.WriteLine($"{what,-36}{perSecond,10:N0} /s   p50 {median,7:N2} ms   p99 {slow,7:N2} ms");
}
