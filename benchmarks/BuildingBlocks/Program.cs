using System.Globalization;
using System.Text.Json;
using DaprPlatform.Benchmarks;
using DaprPlatform.Benchmarks.BuildingBlocks;

// State, publish to delivered, and invocation through any sidecar that speaks Dapr's API; the app and the load are in this process.
//   --daprd PATH [--daprd PATH]   starts each with daprd's flags, one after the other, and prints a table of both; or
//   --http PORT --grpc PORT --app-port PORT [--app-id ID]   a sidecar that runs already, with that app port and components named statestore and pubsub
const string usage = "usage: building-blocks-bench (--daprd PATH [--daprd PATH] | --http PORT --grpc PORT --app-port PORT [--app-id ID]) "
    + "[--only state|publish|invoke] [--store TYPE] [--pubsub TYPE] [--clients N] [--seconds N] [--json true]";
if (args.Length % 2 != 0 || args.Where((a, i) => i % 2 == 0).Any(a => !a.StartsWith("--", StringComparison.Ordinal)))
{
    await Console.Error.WriteLineAsync(usage);
    return 2;
}

var options = args.Chunk(2).ToLookup(o => o[0], o => o[1]);
var (only, store, pubsub) = (Text("--only", ""), Text("--store", "state.in-memory"), Text("--pubsub", "pubsub.in-memory"));
var (clients, seconds) = (Number("--clients", 32), Number("--seconds", 5));
var engines = options["--daprd"].ToList();
if (engines.Count == 0 && Number("--http", 0) == 0)
{
    await Console.Error.WriteLineAsync(usage);
    return 2;
}

var folder = Directory.CreateTempSubdirectory("building-blocks-bench-").FullName;
try
{
    var tables = new List<(string Engine, IReadOnlyList<Row> Rows)>();
    var deliveries = new Deliveries();
    if (engines.Count == 0)
    {
        var (appPort, appGrpcPort) = (Number("--app-port", 0), SidecarProcess.FreePort());
        await using var app = await BenchApp.StartAsync(appPort, appGrpcPort, deliveries);
        tables.Add(("sidecar", await MeasureAsync(new Target(Number("--http", 0), Number("--grpc", 0), null, appPort, appGrpcPort, Text("--app-id", "bench"), "", clients, seconds), deliveries)));
    }

    foreach (var path in engines)
    {
        var (appPort, appGrpcPort) = (SidecarProcess.FreePort(), SidecarProcess.FreePort());
        await using var app = await BenchApp.StartAsync(appPort, appGrpcPort, deliveries);
        var resources = Resources($"{tables.Count}");
        using var http = await SidecarProcess.StartAsync(path, "bench", appPort, "http", resources);
        using var grpc = await SidecarProcess.StartAsync(path, "bench-grpc", appGrpcPort, "grpc", Directory.CreateDirectory(Path.Combine(folder, "none")).FullName);
        var idle = http.ResidentMegabytes;
        var rows = await MeasureAsync(new Target(http.HttpPort, http.GrpcPort, grpc.GrpcPort, appPort, appGrpcPort, "bench", "bench-grpc", clients, seconds), deliveries);
        tables.Add((path, [new Row("healthy after ms", http.HealthyMilliseconds), new Row("idle memory MB", idle), .. rows, new Row("memory after the load MB", http.ResidentMegabytes)]));
    }

    Print(tables);
    return 0;
}
finally
{
    Directory.Delete(folder, recursive: true);
}

string Text(string name, string unset) => options[name].LastOrDefault() ?? unset;

int Number(string name, int unset) => int.Parse(Text(name, unset.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);

async Task<IReadOnlyList<Row>> MeasureAsync(Target target, Deliveries deliveries)
{
    var rows = new List<Row>();
    if (only is "" or "state")
        rows.AddRange(await StateLoad.RunAsync(target));
    if (only is "" or "publish")
        rows.AddRange(await PublishLoad.RunAsync(target, deliveries));
    if (only is "" or "invoke")
        rows.AddRange(await InvokeLoad.RunAsync(target));
    return rows;
}

string Resources(string name)
{
    var resources = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
    var data = Path.Combine(folder, $"{name}.db");
    (string Name, string Value)[] state = store switch
    {
        "state.sqlite" => [("connectionString", data)],
        "state.redis" => [("redisHost", "localhost:6379")],
        "state.etcd" => [("endpoints", "localhost:2379")],
        _ => [],
    };
    (string Name, string Value)[] broker = pubsub switch
    {
        "pubsub.kafka" => [("brokers", "localhost:9092"), ("authType", "none")],
        "pubsub.redis" => [("redisHost", "localhost:6379")],
        _ => [],
    };
    Write("statestore", store, state);
    Write("pubsub", pubsub, broker);
    return resources;

    void Write(string component, string type, (string Name, string Value)[] metadata) =>
        File.WriteAllText(Path.Combine(resources, $"{component}.yaml"),
            $"apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {component}\nspec:\n  type: {type}\n  version: v1\n  metadata:{(metadata.Length == 0 ? " []" : string.Concat(metadata.Select(m => $"\n  - name: {m.Name}\n    value: \"{m.Value}\"")))}\n");
}

void Print(List<(string Engine, IReadOnlyList<Row> Rows)> tables)
{
    if (bool.Parse(Text("--json", "false")))
    {
        Console.WriteLine(JsonSerializer.Serialize(tables.Select(t => new { t.Engine, t.Rows }), new JsonSerializerOptions(JsonSerializerDefaults.Web) { WriteIndented = true }));
        return;
    }

    Console.WriteLine($"{store}, {pubsub}, {clients} clients, {seconds} s each, {Environment.ProcessorCount} processors");
    foreach (var (engine, rows) in tables)
    {
        Console.WriteLine(engine);
        foreach (var row in rows)
            Console.WriteLine($"  {row}");
    }

    if (tables is not [var first, var second])
        return;
    Console.WriteLine("second : first");
    foreach (var (a, b) in first.Rows.Zip(second.Rows))
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {a.Name,-44}{b.Value / a.Value,12:N2}"));
}
