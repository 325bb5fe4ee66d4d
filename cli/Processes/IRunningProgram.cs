namespace DaprPlatform.Cli.Processes;

/// <summary>A program that runs: what supervision needs to know of it.</summary>
internal interface IRunningProgram
{
    ProcessIdentity Identity { get; }

    /// <summary>Completes with the exit code; never fails.</summary>
    Task<int> Exited { get; }

    /// <summary>Asks it to stop, ends it after <paramref name="grace"/>, and returns when it is gone.</summary>
    Task StopAsync(TimeSpan grace, TimeProvider time);
}
