using System.Diagnostics;
using System.Globalization;
using Dapr.Workflow;

namespace DaprPlatform.Benchmarks.Workflow;

/// <summary>
/// <c>drive --grpc-port N [--pid P ...]</c>: worker and client of a sidecar that runs already, of this runtime or the real daprd. Prints what each shape reaches, the processor time a workflow costs
/// here and in the processes named (Linux), and how much memory waiting workflows take.
/// </summary>
internal sealed class Drive
{
    private const double TicksPerSecond = 100;
    private readonly Dictionary<string, List<string>> _options = new(StringComparer.Ordinal);

    private Drive(IReadOnlyList<string> arguments)
    {
        for (var i = 0; i < arguments.Count; i++)
        {
            if (!arguments[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == arguments.Count)
                throw new ArgumentException($"{arguments[i]} is no option with a value");
            if (!_options.TryGetValue(arguments[i][2..], out var values))
                _options[arguments[i][2..]] = values = [];
            values.Add(arguments[++i]);
        }
    }

    public static async Task RunAsync(IReadOnlyList<string> arguments)
    {
        var drive = new Drive(arguments);
        Environment.SetEnvironmentVariable("DAPR_GRPC_PORT", drive.Text("grpc-port", "50001"));
        var builder = Host.CreateApplicationBuilder([]);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddDaprWorkflow(Shapes.Register);
        using var host = builder.Build();
        await host.StartAsync();
        var client = host.Services.GetRequiredService<DaprWorkflowClient>();
        await drive.MeasureAsync(client);
        await host.StopAsync();
    }

    private async Task MeasureAsync(DaprWorkflowClient client)
    {
        var pids = _options.GetValueOrDefault("pid", []).Select(p => int.Parse(p, CultureInfo.InvariantCulture)).ToArray();
        var shapes = Text("shapes", "chained,parallel,alone").Split(',');
        var (runs, count, clients) = (Number("runs", 5), Number("count", 3000), Number("clients", 32));
        foreach (var shape in shapes)
        {
            if (shape == "waiting")
            {
                await WaitingAsync(client, pids, count);
                continue;
            }

            var (name, callers, many) = shape == "alone" ? ("chained", 1, Math.Min(count, 300)) : (shape, clients, count);
            await Load.RunAsync(client, name, Math.Min(300, many), callers, CancellationToken.None);
            for (var run = 1; run <= runs; run++)
            {
                var before = Cpu(pids);
                var own = Environment.CpuUsage.TotalTime;
                var load = await Load.RunAsync(client, name, many, callers, CancellationToken.None);
                var sorted = load.Milliseconds.Order().ToArray();
                var ownMs = (Environment.CpuUsage.TotalTime - own).TotalMilliseconds / load.Workflows;
                var others = pids.Zip(Cpu(pids), before).Select(p => $"{p.First}: {(p.Second - p.Third) * 1000 / load.Workflows:F3}").ToArray();
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{shape} {run}: {load.Workflows / load.ElapsedSeconds:F0}/s, p50 {At(0.5):F1} ms, p95 {At(0.95):F1} ms, p99 {At(0.99):F1} ms; CPU ms a workflow: worker and client {ownMs:F3}, {string.Join(", ", others)}"));

                double At(double share) => sorted[(int)(share * (sorted.Length - 1))];
            }
        }
    }

    private static async Task WaitingAsync(DaprWorkflowClient client, int[] pids, int count)
    {
        var before = pids.Select(Resident).ToArray();
        var next = -1;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 32).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) < count)
                await client.ScheduleNewWorkflowAsync(nameof(Waiting), Guid.NewGuid().ToString("N"), "waits");
        }));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"waiting: {count} started in {watch.Elapsed.TotalSeconds:F1} s; resident MB before and after: {string.Join(", ", pids.Zip(before, pids.Select(Resident)).Select(p => $"{p.First}: {p.Second:F0} -> {p.Third:F0}"))}"));
    }

    private static double[] Cpu(int[] pids) => [.. pids.Select(pid =>
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond;
    })];

    private static double Resident(int pid) => long.Parse(File.ReadLines($"/proc/{pid}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024.0;

    private string Text(string name, string otherwise) => _options.TryGetValue(name, out var values) ? values[^1] : otherwise;

    private int Number(string name, int otherwise) => int.Parse(Text(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
}
