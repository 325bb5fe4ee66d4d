using System.Threading.Channels;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Resources;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// Watches the resource folders and brings the sidecar in line with them while it runs: components, subscriptions, endpoints and resiliency. What would be fatal
/// at the start is fatal here too. The Configuration is read anew only at a restart (SIGHUP).
/// </summary>
internal sealed partial class HotReload : IAsyncDisposable
{
    // Editors and tools write a file in several steps.
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(50);

    // For one that is still empty, as most are for a moment when they are written anew: what was in it would be taken away and come again.
    private const int MostGathers = 5;
    private readonly SidecarRuntime _runtime;
    private readonly ILogger _logger;
    private readonly List<FileSystemWatcher> _watchers = [];
    private readonly Channel<bool> _changed = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _reconcile;
    private readonly Task _loop;

    private HotReload(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _logger = runtime.Loggers.CreateLogger("dapr.runtime.hotreload");
        foreach (var folder in runtime.Options.ResourcesPaths)
            Watch(folder);

        // File systems that tell of no changes (network drives, some containers) are looked at now and then.
        var interval = runtime.Options.HotReloadReconcileInterval;
        _reconcile = runtime.Time.CreateTimer(_ => Signal(), null, interval, interval);
        _loop = RunAsync();
    }

    /// <summary>Null where there is nothing to watch, or Configuration's features turn it off.</summary>
    public static HotReload? Start(SidecarRuntime runtime) =>
        runtime.Options.ResourcesPaths.Count == 0 || !runtime.Block<MetadataApi>().Features().Contains("HotReload") ? null : new HotReload(runtime);

    public async ValueTask DisposeAsync()
    {
        foreach (var watcher in _watchers)
            watcher.Dispose();
        await _reconcile.DisposeAsync().ConfigureAwait(false);
        await _stopping.CancelAsync().ConfigureAwait(false);
        _changed.Writer.TryComplete();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private void Watch(string folder)
    {
        var watcher = new FileSystemWatcher(folder) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size };
        watcher.Changed += (_, _) => Signal();
        watcher.Created += (_, _) => Signal();
        watcher.Deleted += (_, _) => Signal();
        watcher.Renamed += (_, _) => Signal();
        // Events were lost: whatever they were, the folder tells.
        watcher.Error += (_, _) => Signal();
        try
        {
            watcher.EnableRaisingEvents = true;
            _watchers.Add(watcher);
        }
        catch (IOException e)
        {
            // A machine gives a user so many watches and no more; the folder is looked at now and then all the same.
            watcher.Dispose();
            LogNotWatched(folder, e.Message);
        }
    }

    private bool HasEmptyFile()
    {
        try
        {
            return _runtime.Options.ResourcesPaths.SelectMany(static p => new DirectoryInfo(p).EnumerateFiles()).Any(static f => f.Length == 0 && f.Extension.ToLowerInvariant() is (".yaml" or ".yml"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private void Signal() => _changed.Writer.TryWrite(true);

    private async Task RunAsync()
    {
        await foreach (var _ in _changed.Reader.ReadAllAsync(_stopping.Token).ConfigureAwait(false))
        {
            await Task.Delay(Gather, _runtime.Time, _stopping.Token).ConfigureAwait(false);
            for (var tries = 0; tries < MostGathers && HasEmptyFile(); tries++)
                await Task.Delay(Gather, _runtime.Time, _stopping.Token).ConfigureAwait(false);
            while (_changed.Reader.TryRead(out bool _))
            {
            }

            try
            {
                await _runtime.ReloadAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is ComponentException or ResourceException)
            {
                LogFatal(e.Message);
                _runtime.Shutdown.Fail(e);
                return;
            }
            catch (Exception e) when (!_stopping.IsCancellationRequested)
            {
                // Whatever it was, the next change is looked at again.
                LogFailed(e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Fatal error while reloading resources: {Reason}")]
    private partial void LogFatal(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Changes in {Folder} are seen only now and then: {Reason}")]
    private partial void LogNotWatched(string folder, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Resources cannot be read anew: {Reason}")]
    private partial void LogFailed(string reason);
}
