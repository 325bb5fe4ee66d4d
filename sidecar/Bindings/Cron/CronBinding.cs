using System.Globalization;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Scheduling;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Bindings.Cron;

/// <summary><c>bindings.cron</c>: calls the app by a schedule, with nothing in the body. A call that takes longer than until the next one delays it.</summary>
internal sealed partial class CronBinding(ComponentSpec spec) : IInputBinding
{
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.contrib.bindings.cron");
    private CronExpression? _schedule;

    public IReadOnlyList<string> Capabilities { get; } = BindingDirection.IsInput(spec) ? ["INPUT_BINDING"] : [];

    public Task InitAsync(CancellationToken cancellationToken)
    {
        var schedule = spec.Value("schedule");
        if (string.IsNullOrWhiteSpace(schedule))
            throw new ComponentException("schedule not set");
        try
        {
            _schedule = CronExpression.Parse(schedule, fiveFields: true);
            return Task.CompletedTask;
        }
        catch (FormatException e)
        {
            throw new ComponentException($"invalid schedule format '{schedule}': {e.Message}", e);
        }
    }

    public ValueTask<IAsyncDisposable> BeginAsync(BindingHandler handler, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IAsyncDisposable>(new Running(this, handler));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task RunAsync(BindingHandler handler, CancellationToken stopping)
    {
        var due = _schedule!.Next(spec.Time.GetUtcNow());
        while (due is { } next)
        {
            var wait = next - spec.Time.GetUtcNow();
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait < MaxDelay ? wait : MaxDelay, spec.Time, stopping).ConfigureAwait(false);
            if (spec.Time.GetUtcNow() < next)
                continue;
            await FireAsync(handler, stopping).ConfigureAwait(false);

            // Times that passed meanwhile are left out.
            var now = spec.Time.GetUtcNow();
            due = _schedule.Every is { } every && next + every > now ? next + every : _schedule.Next(now);
        }
    }

    private static TimeSpan MaxDelay => TimeSpan.FromDays(20);

    private async Task FireAsync(BindingHandler handler, CancellationToken stopping)
    {
        var metadata = new Dictionary<string, string>
        {
            ["timeZone"] = "Local",
            ["readTimeUTC"] = spec.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fffffff '+0000 UTC'", CultureInfo.InvariantCulture),
        };
        try
        {
            await handler(new BindingEvent(ReadOnlyMemory<byte>.Empty, metadata), stopping).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OutOfMemoryException && !stopping.IsCancellationRequested)
        {
            LogFailed(spec.Name, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Name}: error from app or the way to it: {Error}")]
    private partial void LogFailed(string name, string error);

    private sealed class Running : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stopping = new();
        private readonly Task _running;

        public Running(CronBinding owner, BindingHandler handler) => _running = Task.Run(() => owner.RunAsync(handler, _stopping.Token));

        public async ValueTask DisposeAsync()
        {
            await _stopping.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stopping.Dispose();
        }
    }
}
