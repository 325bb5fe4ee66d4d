using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.OpsConsole.Logs;
using DaprPlatform.Cli.OpsConsole.Metrics;
using DaprPlatform.Cli.OpsConsole.Traces;
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
    private readonly IDisposable _tail;
    private readonly IDisposable _news;
    private readonly Task _eventsRead;
    private Task? _scraping;

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
        Collector = file.Apps.Select(a => a.Collector).OfType<TraceCollector>().FirstOrDefault() ?? new TraceCollector();
        var news = new TraceNews(Hub, time);
        Traces = new TraceStore(news.Touched);
        _news = Hub.WhileListened(StreamTopics.Traces, cancel => news.RunAsync(Traces, cancel));
        Business = new Business(file, stack, time);
        Logs = new LogBook(data);
        _tail = Hub.WhileListened(StreamTopics.Logs, new LogTail(data, Hub, time).RunAsync);
        DaprStream.Start(this);
    }

    public Repository Repository { get; }

    public RunFile File { get; }

    public DataFolder Data { get; }

    public Stack Stack { get; }

    public TimeProvider Time { get; }

    public AuditLog Audit { get; }

    public Accounts Accounts { get; }

    public Sessions Sessions { get; }

    public LogBook Logs { get; }

    public ChartBook Charts { get; } = new();

    public Business Business { get; }

    public TraceStore Traces { get; }

    /// <summary>Where the apps and sidecars send their spans.</summary>
    public TraceCollector Collector { get; }

    public StaticPages Pages { get; }

    public IConsoleStream Stream => Hub;

    public ConsoleHub Hub { get; }

    /// <exception cref="CommandException">The audit log cannot be written: without it nothing may be changed.</exception>
    public static ConsoleSystem Open(Repository repository, RunFile file, DataFolder data, Stack stack, TimeProvider time) =>
        new(repository, file, data, stack, time, AuditLog.Open(Path.Combine(data.Path, AuditLog.FileName), time));

    /// <summary>Begins to look at metrics every few seconds.</summary>
    public void StartScraping() => _scraping ??= Task.Run(async () =>
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, Stack.Stopping);
        try
        {
            await new MetricsScraper(this, Charts).RunAsync(ending.Token);
        }
        catch (Exception) when (ending.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            Stack.Events.Add(EventKind.Problem, $"metrics are not collected any more: {e.Message}");
        }
    });

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
        _tail.Dispose();
        _news.Dispose();
        await _stopping.CancelAsync();
        await (_scraping ?? Task.CompletedTask);
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
