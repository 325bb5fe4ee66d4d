using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Cli.Supervision;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What all endpoints of the console have in common; one for a running platform.</summary>
internal sealed class ConsoleSystem : IAsyncDisposable
{
    private static readonly TimeSpan StatusInterval = TimeSpan.FromMilliseconds(500);
    private readonly ConcurrentDictionary<string, LastAction> _actions = new(StringComparer.Ordinal);
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly IDisposable _status;
    private readonly Task _eventsRead;

    private ConsoleSystem(Repository repository, RunFile file, DataFolder data, Stack stack, TimeProvider time, AuditLog audit)
    {
        (Repository, File, Data, Stack, Time, Audit) = (repository, file, data, stack, time, audit);
        Accounts = new Accounts(Path.Combine(data.Path, Accounts.FileName));
        Sessions = new Sessions(Accounts, time);
        Hub = new ConsoleHub(time);
        Pages = new StaticPages(Path.Combine(repository.Artifacts, "web", "console"));
        _eventsRead = Task.Run(PassEventsAsync);
        _status = Hub.WhileListened(StreamTopics.Status, TellStatusAsync);
        stack.StatusChanged += Changed;
    }

    public Repository Repository { get; }

    public RunFile File { get; }

    public DataFolder Data { get; }

    public Stack Stack { get; }

    public TimeProvider Time { get; }

    public AuditLog Audit { get; }

    public Accounts Accounts { get; }

    public Sessions Sessions { get; }

    public StaticPages Pages { get; }

    public IConsoleStream Stream => Hub;

    public ConsoleHub Hub { get; }

    /// <exception cref="CommandException">The audit log cannot be written: without it nothing may be changed.</exception>
    public static ConsoleSystem Open(Repository repository, RunFile file, DataFolder data, Stack stack, TimeProvider time) =>
        new(repository, file, data, stack, time, AuditLog.Open(Path.Combine(data.Path, "console-audit.jsonl"), time));

    /// <summary>On this machine nobody signs in until there is an account; elsewhere everybody does.</summary>
    public bool SignInRequired(ConsoleDoor door) => !door.Loopback || Accounts.Any;

    public StackStatus Status()
    {
        var status = Stack.Status();
        return status with { Apps = [.. status.Apps.Select(a => _actions.TryGetValue(a.App, out var action) ? a with { LastAction = action } : a)] };
    }

    /// <summary>Remembers who did what to an app last.</summary>
    public void Acted(string app, string action, ConsoleUser who) => _actions[app] = new LastAction(action, who.Name, Time.GetUtcNow());

    /// <summary>Tells those who look at the status to look again.</summary>
    public void Changed() => _changed.Writer.TryWrite(true);

    public async ValueTask DisposeAsync()
    {
        Stack.StatusChanged -= Changed;
        _status.Dispose();
        await _stopping.CancelAsync();
        await _eventsRead.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Hub.DisposeAsync();
        await Audit.DisposeAsync();
    }

    private async Task PassEventsAsync()
    {
        await foreach (var item in Stack.Events.ReadAsync(_stopping.Token))
            Hub.Publish(StreamTopics.Events, item);
    }

    private async Task TellStatusAsync(CancellationToken cancel)
    {
        do
        {
            _changed.Reader.TryRead(out _);
            Hub.PublishLatest(StreamTopics.Status, Status());
            await Task.Delay(StatusInterval, Time, cancel);
        }
        while (await _changed.Reader.WaitToReadAsync(cancel));
    }
}
