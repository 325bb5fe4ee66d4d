using System.Runtime.InteropServices;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Daprd;

/// <summary>One sidecar as a process: signals, exit codes and log as daprd's.</summary>
internal static partial class DaprdProcess
{
    private enum Wish
    {
        Signal,
        Reload,
        Graceful,
        Forced,
    }

    /// <returns>0 after SIGINT, SIGTERM or a shutdown by API within the grace; 1 after a failure, a forced shutdown, a second signal, or when the grace was not enough.</returns>
    public static async Task<int> RunAsync(Flags flags)
    {
        StreamWriter log;
        try
        {
            log = flags.Text("log-file") is { Length: > 0 } file ? new StreamWriter(file, append: true) : new StreamWriter(Console.OpenStandardOutput());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"invalid value for --log-file: {e.Message}").ConfigureAwait(false);
            return 1;
        }

        await using var closing = log.ConfigureAwait(false);
        SidecarOptions options;
        LogLevel level;
        try
        {
            options = flags.ToOptions();
            level = DaprLoggerProvider.ParseLevel(options.LogLevel);
        }
        catch (Exception e) when (e is FlagException or ArgumentException)
        {
            if (e is FlagException { Prefix: null })
            {
                await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
                return 1;
            }

            using var early = new DaprLoggerProvider(log, flags.Text("app-id"), flags.Has("log-as-json"), LogLevel.Information, TimeProvider.System);
            LogUnusable(early.CreateLogger("dapr.runtime"), (e as FlagException)?.Prefix + e.Message);
            return 1;
        }

        using var provider = new DaprLoggerProvider(log, options.AppId, flags.Has("log-as-json"), level, TimeProvider.System);
        using var loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(level).AddProvider(provider));
        var logger = loggers.CreateLogger("dapr.runtime");
        using var signals = new Signals();
        try
        {
            while (true)
            {
                // A reload is a new start in the same process, as in daprd: what is only in memory does not outlive it.
                await using var engine = await Engine.OpenAsync(new EngineOptions { SharesStandIns = true, Loggers = loggers }).ConfigureAwait(false);
                await using var sidecar = new DaprSidecar(engine, options, loggers);
                await sidecar.StartAsync(signals.Stopping).ConfigureAwait(false);
                var wish = await WaitAsync(sidecar, signals).ConfigureAwait(false);
                if (wish == Wish.Signal)
                    LogSignal(loggers.CreateLogger("dapr.signals"), await signals.First.ConfigureAwait(false));
                if (wish == Wish.Forced)
                {
                    LogForced(logger);
                    return Leave();
                }

                if (wish == Wish.Reload)
                {
                    LogReload(logger);
                    await sidecar.StopAsync().ConfigureAwait(false);
                    signals.Reloaded();
                    options = flags.ToOptions() with { InternalGrpcPort = options.InternalGrpcPort };
                    continue;
                }

                using var ended = new CancellationTokenSource();
                var again = signals.Again.ContinueWith(_ => ended.Cancel(), TaskScheduler.Default);
                if (wish == Wish.Signal)
                    await sidecar.BlockShutdownAsync(ended.Token).ConfigureAwait(false);
                if (signals.Again.IsCompleted)
                {
                    LogAgain(logger);
                    return Leave();
                }

                // What hangs beyond the time it was given is not waited for a second time.
                return await sidecar.StopAsync(ended.Token).ConfigureAwait(false) ? 0 : Leave();
            }
        }
        catch (SidecarException e)
        {
            LogFatal(logger, e.Message);
            return 1;
        }
        catch (OperationCanceledException) when (signals.Stopping.IsCancellationRequested)
        {
            return 0;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever it is, it is said in the log that is kept, as of everything else that a start can fail with.
            LogFatal(logger, e is IOException or System.Net.Sockets.SocketException or UnauthorizedAccessException ? e.Message : e.ToString());
            return 1;
        }
    }

    // At once: nothing acknowledged depends on what closing would still do.
    private static int Leave()
    {
        Environment.Exit(1);
        return 1;
    }

    private static async Task<Wish> WaitAsync(DaprSidecar sidecar, Signals signals)
    {
        var first = await Task.WhenAny(signals.First, signals.Reload, sidecar.ShutdownRequested).ConfigureAwait(false);
        if (first == signals.First)
            return Wish.Signal;
        if (first == signals.Reload)
            return Wish.Reload;
        try
        {
            return await sidecar.ShutdownRequested.ConfigureAwait(false) ? Wish.Forced : Wish.Graceful;
        }
        catch (Exception e)
        {
            throw new SidecarException(e.Message, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Reason}")]
    private static partial void LogUnusable(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Fatal error from runtime: {Reason}")]
    private static partial void LogFatal(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Force shutdown requested, exiting immediately without graceful shutdown")]
    private static partial void LogForced(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Received signal '{Signal}'; beginning shutdown")]
    private static partial void LogSignal(ILogger logger, string signal);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Received a second signal, exiting immediately")]
    private static partial void LogAgain(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Received signal 'hangup'; restarting")]
    private static partial void LogReload(ILogger logger);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetSignal(int signal, nint handler);

    private sealed class Signals : IDisposable
    {
        private const int Interrupt = 2;
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _again = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationTokenSource _stopping = new();
        private readonly List<PosixSignalRegistration> _registrations = [];
        private TaskCompletionSource _reload = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Signals()
        {
            // A shell that starts a program in the background has it ignore the interrupt; daprd obeys it all the same.
            if (!OperatingSystem.IsWindows())
                _ = SetSignal(Interrupt, 0);
            foreach (var signal in new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGHUP })
                _registrations.Add(PosixSignalRegistration.Create(signal, OnSignal));
        }

        /// <summary>The first signal to end, by its name in Go.</summary>
        public Task<string> First => _first.Task;

        public Task Again => _again.Task;

        public Task Reload => _reload.Task;

        /// <summary>Cancelled by the first signal to end, which a start under way obeys too.</summary>
        public CancellationToken Stopping => _stopping.Token;

        public void Reloaded() => _reload = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Dispose()
        {
            foreach (var registration in _registrations)
                registration.Dispose();
            _stopping.Dispose();
        }

        private void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            if (context.Signal == PosixSignal.SIGHUP)
            {
                _reload.TrySetResult();
                return;
            }

            if (_first.TrySetResult(context.Signal == PosixSignal.SIGINT ? "interrupt" : "terminated"))
                _stopping.Cancel();
            else
                _again.TrySetResult();
        }
    }
}
