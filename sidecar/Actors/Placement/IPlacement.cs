namespace DaprPlatform.Sidecar.Actors.Placement;

/// <summary>
/// What daprd has in its placement service: who hosts which actor types, agreed on by all. A new table takes force in two steps: everybody prepares (calls of
/// actors that will move wait, what moves away is deactivated), then everybody switches; so that no actor is active in two places.
/// </summary>
internal interface IPlacement
{
    /// <summary>Becomes a member of a namespace; completes when the listener has the table that is in force. Disposing leaves.</summary>
    /// <param name="host">Hosts its types from the first table on.</param>
    ValueTask<IPlacementMembership> JoinAsync(string @namespace, ActorHost host, IPlacementListener listener, CancellationToken cancellationToken);
}

/// <summary>A sidecar's membership.</summary>
internal interface IPlacementMembership : IAsyncDisposable
{
    /// <summary>Hosts these types from now on and no others; completes when the table that says so is in force everywhere.</summary>
    Task ReportAsync(IReadOnlyList<string> types, CancellationToken cancellationToken);
}

/// <summary>A sidecar that is told of tables. Called one at a time.</summary>
internal interface IPlacementListener
{
    /// <summary>A table is coming; completes when nothing is active here any more that it gives to others.</summary>
    Task PrepareAsync(PlacementTable next);

    /// <summary>A table is in force.</summary>
    void Commit(PlacementTable table);
}
