using DaprPlatform.Sidecar.Http;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// One building block of a sidecar. Its HTTP face is mapped here, its gRPC face is its part of <see cref="DaprGrpcService"/>; both are thin translations
/// of one implementation.
/// </summary>
internal interface IBuildingBlock
{
    /// <summary>Adds its routes. Called once, before the servers start.</summary>
    void MapHttp(Router router);

    /// <summary>Begins what needs the app (subscriptions, input bindings, actors): called when the app listens and is healthy, each time it becomes so.</summary>
    Task AppReadyAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Resources or components have changed while the sidecar runs (hot reload); <see cref="SidecarRuntime.Resources"/> and <see cref="SidecarRuntime.Components"/>
    /// are the new ones. Called one at a time. A <see cref="Resources.ResourceException"/> ends the sidecar.
    /// </summary>
    Task ReloadedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Stops sending anything to the app: it is unhealthy, or the sidecar shuts down. Calls under way are finished.</summary>
    Task AppGoneAsync() => Task.CompletedTask;

    /// <summary>The shutdown is blocked for a while (--dapr-block-shutdown-duration): what comes from outside is taken in no more, the APIs go on.</summary>
    Task PauseAsync() => Task.CompletedTask;
}
