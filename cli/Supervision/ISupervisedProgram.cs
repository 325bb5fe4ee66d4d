using DaprPlatform.Cli.Processes;

namespace DaprPlatform.Cli.Supervision;

/// <summary>A program that is kept running: how it is started and how one knows that it serves.</summary>
internal interface ISupervisedProgram
{
    string Name { get; }

    /// <exception cref="CommandException">It cannot be started, and starting again will not help by itself.</exception>
    Task<IRunningProgram> StartAsync(CancellationToken cancel);

    /// <summary>Returns when it serves. Fails with <see cref="CommandException"/> when it will not; cancellation also comes when it has exited.</summary>
    Task WaitReadyAsync(IRunningProgram running, CancellationToken cancel);
}
