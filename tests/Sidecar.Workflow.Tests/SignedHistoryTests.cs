using DaprPlatform.Sidecar.State;
using DaprPlatform.Sidecar.Workflow.Stored;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace DaprPlatform.Sidecar.Workflow.Tests;

/// <summary>Instances that a runtime with mTLS has begun and signed, in the state store that both have.</summary>
public sealed class SignedHistoryTests : IAsyncDisposable
{
    private const string Rows = "app||dapr.internal.default.app.workflow||signed||";
    private static readonly WorkflowSettings NoLimits = new(null, null, null, null, null, null);
    private readonly DiskStore _disk = new();
    private readonly Lines _log = new();
    private WorkflowHub _hub;

    public SignedHistoryTests() => _hub = Open();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_signed_history_goes_on_unsigned_and_its_signatures_stay_for_who_can_check_them()
    {
        await BeginAndSignAsync();
        await using var worker = new FakeWorker(_hub);
        var answered = worker.AnswerAsync(await worker.ActivityAsync(), "x");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(1, "more"));
        await answered;

        Assert.Contains("Workflow 'signed' has signed history but no signer is configured; signature verification skipped", _log.All);
        Assert.Contains(Rows + "signature-000000", _disk.Keys);
        var metadata = await _disk.GetAsync(Rows + "metadata", Consistency.Strong, new Dictionary<string, string>(), Token);
        Assert.EndsWith(Convert.ToHexString(Count), Convert.ToHexString(metadata!.Value.Span), StringComparison.Ordinal);
        Assert.Equal(6ul, InstanceMetadata.Parser.ParseFrom(metadata.Value.Span).HistoryLength);
    }

    [Fact]
    public async Task Signatures_go_with_the_history_they_are_of()
    {
        await BeginAndSignAsync();
        await using var worker = new FakeWorker(_hub);
        var answered = worker.AnswerAsync(await worker.ActivityAsync(), "x");
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Again(1, "next"));
        await answered;
        Assert.DoesNotContain(_disk.Keys, k => k.Contains("signature-", StringComparison.Ordinal) || k.Contains("sigcert-", StringComparison.Ordinal));
        await worker.AnswerAsync(await worker.TurnAsync(), Act.Done(0));
        await new WorkflowClient(_hub).PurgeAsync("signed", recurse: true, force: false, Token);
        Assert.Empty(_disk.Keys);
    }

    [Fact]
    public async Task A_purge_leaves_no_signatures()
    {
        await BeginAndSignAsync();
        await using var worker = new FakeWorker(_hub);
        await worker.ActivityAsync();
        await new WorkflowClient(_hub).PurgeAsync("signed", recurse: true, force: true, Token);
        Assert.Empty(_disk.Keys);
    }

    public async ValueTask DisposeAsync() => await _hub.DisposeAsync();

    // A field of metadata that this runtime does not know.
    private static byte[] Count => [0x78, 0x01];

    private async Task BeginAndSignAsync()
    {
        await using (var worker = new FakeWorker(_hub))
        {
            var started = new WorkflowClient(_hub).StartAsync("signed", "workflow", null, null, null, Token);
            await worker.AnswerAsync(await worker.TurnAsync(), Act.Task(0, "step"));
            await started;
        }

        await _hub.DisposeAsync();
        var none = new Dictionary<string, string>();
        var metadata = await _disk.GetAsync(Rows + "metadata", Consistency.Strong, none, Token);
        StateWrite[] writes =
        [
            new(StateOperationKind.Upsert, Rows + "metadata", (byte[])[.. metadata!.Value.Span, .. Count]),
            new(StateOperationKind.Upsert, Rows + "signature-000000", new byte[] { 1 }),
            new(StateOperationKind.Upsert, Rows + "sigcert-000000", new byte[] { 2 }),
            new(StateOperationKind.Upsert, Rows + "ext-sigcert-000000", new byte[] { 3 }),
        ];
        await _disk.TransactAsync(writes, none, Token);
        _hub = Open();
    }

    private WorkflowHub Open() => new(new WorkflowStorage(_disk, "app", "default", _log), "app", NoLimits, new ManualTime(), NullLoggerFactory.Instance);

    private sealed class Lines : ILogger
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (All)
                All.Add(formatter(state, exception));
        }
    }
}
