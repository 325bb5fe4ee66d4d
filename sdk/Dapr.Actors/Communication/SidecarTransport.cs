namespace Dapr.Actors.Communication;

/// <summary>The connections to the sidecar that all actors and proxies of a container share.</summary>
internal sealed class SidecarTransport(HttpMessageHandler handler) : IDisposable
{
    public HttpMessageHandler Handler { get; } = handler;

    public void Dispose() => Handler.Dispose();
}
