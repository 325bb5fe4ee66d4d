using DaprPlatform.Cli.DeadLetters;
using DaprPlatform.Cli.RunFiles;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Cli.Supervision;

/// <summary>A loaded component; <paramref name="StandsFor"/> names the embedded implementation that serves a type whose server is not here.</summary>
internal sealed record SidecarComponent(string Name, string Type, string? StandsFor);

/// <summary>A sidecar that runs.</summary>
internal interface IAppSidecar
{
    bool IsHealthy { get; }

    IReadOnlyList<SidecarComponent> Components { get; }

    /// <summary>Completes when the sidecar was asked to shut down by its API; fails when it cannot go on.</summary>
    Task ShutdownRequested { get; }

    Task WaitUntilHealthyAsync(CancellationToken cancel);

    Task StopAsync(TimeSpan grace);
}

/// <summary>Where sidecars run. Dispose it after the sidecars are stopped.</summary>
internal interface ISidecarHost : IAsyncDisposable
{
    /// <summary>Returns when the sidecar's APIs answer.</summary>
    /// <exception cref="CommandException">It cannot start.</exception>
    Task<IAppSidecar> StartAsync(RunApp app, CancellationToken cancel);

    /// <summary>A look into the runtime; null where it is not this process.</summary>
    RuntimeView? View => null;

    /// <summary>Null where the broker is not this process.</summary>
    DeadLetterBox? DeadLetters => null;
}
