using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dapr.DurableTask.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Kind = Dapr.DurableTask.Protobuf.HistoryEvent.EventTypeOneofCase;

namespace DaprPlatform.Workflow.Crash.Tests;

/// <summary>
/// Kills runtime and worker at random moments while workflows of every form run: every one ends with its right result, no activity runs again whose completion is in the history, and the histories
/// are well-formed. WORKFLOW_CRASH_COUNT sets how many of each form there are (40; the full test has 500).
/// </summary>
public sealed class CrashTests(ITestOutputHelper output) : IDisposable
{
    private const int Clients = 12;
    private static readonly int Count = int.TryParse(Environment.GetEnvironmentVariable("WORKFLOW_CRASH_COUNT"), out var given) ? given : 40;
    private readonly string _folder = Directory.CreateTempSubdirectory("workflow-crash-").FullName;
    private readonly Progress _answers = new();
    private GrpcChannel _channel = null!;
    private TaskHubSidecarService.TaskHubSidecarServiceClient _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory(Timeout = 900_000)]
    [InlineData("state.etcd", 20261121)]
    [InlineData("state.sqlite", 20261122)]
    public async Task Killed_at_any_moment_every_workflow_ends_and_nothing_completed_runs_again(string store, int seed)
    {
        var (grpcPort, httpPort) = (FreePort(), FreePort());
        var log = Path.Combine(_folder, "activities.log");
        using var runtime = new Victim(RuntimeProcess.Command, _folder, _folder, store, $"{grpcPort}", $"{httpPort}");
        using var worker = new Victim(WorkerProcess.Command, _folder, $"{grpcPort}", log);
        _channel = GrpcChannel.ForAddress($"http://127.0.0.1:{grpcPort}", new GrpcChannelOptions { MaxReceiveMessageSize = null });
        _client = new TaskHubSidecarService.TaskHubSidecarServiceClient(_channel);
        await runtime.StartAsync(ready: true, Token);
        await worker.StartAsync(ready: false, Token);

        var specimens = Specimens().ToArray();
        var next = -1;
        var running = Task.WhenAll(Enumerable.Range(0, Clients).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is var i && i < specimens.Length)
                await RunAsync(specimens[i], runtime);
        }));
        await KillWhileAsync(running, runtime, worker, new Random(seed));
        await running;

        output.WriteLine($"{specimens.Length} workflows on {store}, runtime killed {runtime.Kills} times, worker {worker.Kills} times");
        var begun = await BeginningsAsync(log);
        foreach (var specimen in specimens)
            await CheckAsync(specimen.Id, specimen.Result, begun);
        Assert.True(runtime.Kills > 0 && worker.Kills > 0);
    }

    public void Dispose()
    {
        _channel?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static IEnumerable<Specimen> Specimens()
    {
        for (var i = 0; i < Count; i++)
        {
            var n = i.ToString(CultureInfo.InvariantCulture);
            yield return new Specimen($"chain-{n}", nameof(Chain), n, i + 5);
            yield return new Specimen($"fan-{n}", nameof(FanOut), n, 20 * (i + 1) + 190);
            yield return new Specimen($"timer-{n}", nameof(Timed), n, i + 2);
            yield return new Specimen($"event-{n}", nameof(Evented), n, i + 1 + 1000, Raises: true);
            yield return new Specimen($"parent-{n}", nameof(Parental), n, 2 * i + 4);
            yield return new Specimen($"again-{n}", nameof(Repeating), $"[1,{n}]", i + 5);
        }
    }

    // What a client does that does not give up: it asks again until it is answered.
    private async Task RunAsync(Specimen specimen, Victim runtime)
    {
        await InsistAsync(runtime, () => _client.StartInstanceAsync(new CreateInstanceRequest { InstanceId = specimen.Id, Name = specimen.Workflow, Input = specimen.Input }, deadline: DateTime.UtcNow.AddSeconds(20), cancellationToken: Token));
        if (specimen.Raises)
            await InsistAsync(runtime, () => _client.RaiseEventAsync(new RaiseEventRequest { InstanceId = specimen.Id, Name = WorkerProcess.Event, Input = "1000" }, deadline: DateTime.UtcNow.AddSeconds(20), cancellationToken: Token));
        await InsistAsync(runtime, () => _client.WaitForInstanceCompletionAsync(new GetInstanceRequest { InstanceId = specimen.Id }, deadline: DateTime.UtcNow.AddSeconds(20), cancellationToken: Token));
    }

    private async Task InsistAsync<T>(Victim runtime, Func<AsyncUnaryCall<T>> call)
    {
        while (true)
        {
            try
            {
                await call();
                _answers.Count();
                return;
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.AlreadyExists)
            {
                // An earlier attempt got through and only its answer was lost.
                return;
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.DeadlineExceeded && !Token.IsCancellationRequested)
            {
                await Task.Yield();
                await runtime.Up.WaitAsync(Token);
            }
        }
    }

    // At answers that the clients got, so many after the kill before: everything else is under way then, at whatever point it is.
    private async Task KillWhileAsync(Task running, Victim runtime, Victim worker, Random random)
    {
        var most = 4 + Count / 8;
        for (var kill = 0; kill < most; kill++)
        {
            if (await Task.WhenAny(running, _answers.MoreAsync(random.Next(3, 60))) == running)
                return;
            var both = random.Next(4) == 0;
            var isRuntime = both || kill % 2 == 0;
            if (isRuntime)
                await runtime.KillAsync(Token);
            if (both || !isRuntime)
                await worker.KillAsync(Token);
            if (isRuntime)
                await runtime.StartAsync(ready: true, Token);
            if (both || !isRuntime)
                await worker.StartAsync(ready: false, Token);
        }
    }

    private static async Task<ILookup<(string Instance, string Execution), DateTime>> BeginningsAsync(string log)
    {
        var lines = await File.ReadAllLinesAsync(log, Token);
        return lines.Select(line => line.Split(' ')).ToLookup(p => (p[1], p[2]), p => new DateTime(long.Parse(p[0], CultureInfo.InvariantCulture), DateTimeKind.Utc));
    }

    private async Task CheckAsync(string id, int? result, ILookup<(string Instance, string Execution), DateTime> begun)
    {
        var history = (await _client.GetInstanceHistoryAsync(new GetInstanceHistoryRequest { InstanceId = id }, cancellationToken: Token)).Events;
        CheckForm(id, history);
        if (result is { } expected)
            Assert.Equal($"{expected}", history[^1].ExecutionCompleted.Result);
        var scheduled = history.Where(e => e.TaskScheduled is not null).ToDictionary(e => e.EventId, e => e.TaskScheduled);
        foreach (var completed in history.Where(e => e.TaskCompleted is not null))
        {
            var execution = scheduled[completed.TaskCompleted.TaskScheduledId].TaskExecutionId;
            var beginnings = begun[(id, execution)].ToArray();
            Assert.NotEmpty(beginnings);
            Assert.All(beginnings, at => Assert.True(at <= completed.Timestamp.ToDateTime(), $"{id}: activity {completed.TaskCompleted.TaskScheduledId} completed at {completed.Timestamp} and began again at {at:O}"));
        }

        foreach (var child in history.Where(e => e.ChildWorkflowInstanceCreated is not null))
            await CheckAsync(child.ChildWorkflowInstanceCreated.InstanceId, null, begun);
    }

    private static void CheckForm(string id, IReadOnlyList<HistoryEvent> history)
    {
        Assert.True(history.Count > 2, $"{id} has no history");
        Assert.Equal(Kind.WorkflowStarted, history[0].EventTypeCase);
        Assert.Single(history, e => e.ExecutionStarted is not null);
        Assert.Single(history, e => e.ExecutionCompleted is not null);
        Assert.Equal(OrchestrationStatus.Completed, history[^1].ExecutionCompleted?.WorkflowStatus);
        var open = new HashSet<int>();
        var taken = new HashSet<int>();
        foreach (var e in history)
        {
            if (e.EventTypeCase is Kind.TaskScheduled or Kind.TimerCreated or Kind.ChildWorkflowInstanceCreated)
            {
                Assert.True(taken.Add(e.EventId), $"{id}: action {e.EventId} is there twice");
                open.Add(e.EventId);
            }
            else if (Resolved(e) is { } action)
            {
                Assert.True(open.Remove(action), $"{id}: action {action} is resolved without being open");
            }
        }

        Assert.Empty(open);
    }

    private static int? Resolved(HistoryEvent e) => e.EventTypeCase switch
    {
        Kind.TaskCompleted => e.TaskCompleted.TaskScheduledId,
        Kind.TaskFailed => e.TaskFailed.TaskScheduledId,
        Kind.TimerFired => e.TimerFired.TimerId,
        Kind.ChildWorkflowInstanceCompleted => e.ChildWorkflowInstanceCompleted.TaskScheduledId,
        Kind.ChildWorkflowInstanceFailed => e.ChildWorkflowInstanceFailed.TaskScheduledId,
        _ => null,
    };

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Counts what happens, and tells when so much more of it has happened.</summary>
    private sealed class Progress
    {
        private readonly Lock _lock = new();
        private TaskCompletionSource _reached = new();
        private int _count;
        private int _awaited = int.MaxValue;

        public void Count()
        {
            lock (_lock)
            {
                if (++_count >= _awaited)
                    _reached.TrySetResult();
            }
        }

        public Task MoreAsync(int events)
        {
            lock (_lock)
            {
                _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _awaited = _count + events;
                return _reached.Task;
            }
        }
    }

    private sealed record Specimen(string Id, string Workflow, string Input, int Result, bool Raises = false);
}
