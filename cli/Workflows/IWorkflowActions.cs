namespace DaprPlatform.Cli.Workflows;

/// <summary>What may be done to workflow instances.</summary>
internal interface IWorkflowActions
{
    /// <exception cref="CommandException">There is none, or it cannot be done now.</exception>
    Task RaiseAsync(string id, string name, string? data, CancellationToken cancel);

    /// <exception cref="CommandException">There is none, or it cannot be done now.</exception>
    Task TerminateAsync(string id, string? output, bool recursive, CancellationToken cancel);

    /// <exception cref="CommandException">There is none, or it cannot be done now.</exception>
    Task SuspendAsync(string id, string? reason, CancellationToken cancel);

    /// <exception cref="CommandException">There is none, or it cannot be done now.</exception>
    Task ResumeAsync(string id, string? reason, CancellationToken cancel);

    /// <returns>How many were removed, children included.</returns>
    /// <exception cref="CommandException">There is none, or it cannot be done now.</exception>
    Task<int> PurgeAsync(string id, bool force, CancellationToken cancel);

    /// <returns>The id of the new instance.</returns>
    /// <exception cref="CommandException">There is none, or it cannot be done now.</exception>
    Task<string> RerunAsync(string id, uint eventId, string? newId, string? input, CancellationToken cancel);
}
