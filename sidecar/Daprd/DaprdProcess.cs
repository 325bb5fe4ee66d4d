using System.Runtime.InteropServices;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Daprd;

/// <summary>One sidecar as a process: signals, exit codes and log as daprd's.</summary>
internal static class DaprdProcess
{
    /// <returns>0 after SIGINT, SIGTERM or a shutdown by API within the grace; 1 after a failure, a forced shutdown, or when the grace was not enough.</returns>
    public static async Task<int> RunAsync(Flags flags)
    {
        SidecarOptions options;
        LogLevel level;
        try
        {
            options = flags.ToOptions();
            level = DaprLoggerProvider.ParseLevel(options.LogLevel);
        }
        catch (Exception e) when (e is FlagException or ArgumentException)
        {
            await Console.Error.WriteLineAsync($"Fatal error: {e.Message}").ConfigureAwait(false);
            return 1;
        }

        await using var log = flags.Text("log-file") is { Length: > 0 } file ? new StreamWriter(file, append: true) : new StreamWriter(Console.OpenStandardOutput());
        using var provider = new DaprLoggerProvider(log, options.AppId, flags.Has("log-as-json"), level, TimeProvider.System);
        using var loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(level).AddProvider(provider));
        var logger = loggers.CreateLogger("dapr.runtime");

        var signalled = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var again = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);

        await using var engine = await Engine.OpenAsync(new EngineOptions { SharesStandIns = true }).ConfigureAwait(false);
        await using var sidecar = new DaprSidecar(engine, options, loggers);
        try
        {
            await sidecar.StartAsync().ConfigureAwait(false);
            var first = await Task.WhenAny(signalled.Task, sidecar.ShutdownRequested).ConfigureAwait(false);
            var force = await first.ConfigureAwait(false);
            if (force)
            {
                logger.Log(LogLevel.Warning, "Force shutdown requested, exiting immediately without graceful shutdown");
                return 1;
            }

            return await sidecar.StopAsync().ConfigureAwait(false) ? 0 : 1;
        }
        catch (SidecarException e)
        {
            logger.Log(LogLevel.Critical, "Fatal error from runtime: {Reason}", e.Message);
            return 1;
        }

        void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            if (!signalled.TrySetResult(false))
                again.TrySetResult();
        }
    }
}
