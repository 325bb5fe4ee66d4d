using System.Net.Http.Json;
using System.Text.Json;
using DaprPlatform.Cli.Retail;

namespace DaprPlatform.Cli.Bench;

internal sealed record WorkflowRun(double WorkflowsPerSecond, double P50Ms, double P95Ms, double P99Ms);

/// <summary>Five runs of one shape; the figures above the runs are their medians. Decay is what the last run lost against the first, in percent.</summary>
internal sealed record WorkflowShape(string Shape, double WorkflowsPerSecond, double P50Ms, double P95Ms, double P99Ms, double DecayPercent, IReadOnlyList<WorkflowRun> Runs);

/// <summary>What <c>bench workflow</c> prints. The figures outside the shapes are those of five chained activities.</summary>
internal sealed record WorkflowReport(double WorkflowsPerSecond, double P50Ms, double P95Ms, double P99Ms, int Clients, int WorkflowsPerRun, double RuntimeResidentMegabytes,
    int Processors, IReadOnlyList<WorkflowShape> Shapes);

/// <summary>Drives the worker in benchmarks/Workflow.</summary>
internal sealed class WorkflowBench(string workerUrl) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = new Uri(workerUrl), Timeout = TimeSpan.FromMinutes(10) };

    private sealed record LoadResult(int Workflows, double ElapsedSeconds, IReadOnlyList<double> Milliseconds);

    public async Task<WorkflowShape> RunAsync(string shape, int runs, int count, int clients, Action<string> report, CancellationToken cancel)
    {
        const int warmUp = 300;
        await LoadAsync(shape, Math.Min(warmUp, count), clients, cancel);
        var results = new List<WorkflowRun>();
        for (var i = 0; i < runs; i++)
        {
            var load = await LoadAsync(shape, count, clients, cancel);
            var percentiles = Percentiles.Of(load.Milliseconds.ToList());
            results.Add(new WorkflowRun(Math.Round(load.Workflows / load.ElapsedSeconds, 1), percentiles.P50Ms, percentiles.P95Ms, percentiles.P99Ms));
            report($"{shape}, run {i + 1}: {results[^1].WorkflowsPerSecond} workflows/s, p50 {results[^1].P50Ms} ms");
        }

        return new WorkflowShape(shape, Median(r => r.WorkflowsPerSecond), Median(r => r.P50Ms), Median(r => r.P95Ms), Median(r => r.P99Ms),
            Math.Round((1 - results[^1].WorkflowsPerSecond / results[0].WorkflowsPerSecond) * 100, 1), results);

        double Median(Func<WorkflowRun, double> of) => results.Select(of).Order().ElementAt(results.Count / 2);
    }

    public void Dispose() => _http.Dispose();

    private async Task<LoadResult> LoadAsync(string shape, int count, int clients, CancellationToken cancel)
    {
        using var response = await _http.PostAsync($"run?shape={shape}&count={count}&clients={clients}", null, cancel);
        if (!response.IsSuccessStatusCode)
            throw new CommandException($"The worker failed ({(int)response.StatusCode}): {await response.Content.ReadAsStringAsync(cancel)}");
        return await response.Content.ReadFromJsonAsync<LoadResult>(JsonSerializerOptions.Web, cancel) ?? throw new CommandException("The worker gave no result.");
    }
}
