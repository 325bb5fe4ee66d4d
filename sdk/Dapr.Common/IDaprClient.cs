using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Common;

/// <summary>A client of the sidecar; disposing it closes its connections.</summary>
public interface IDaprClient : IDisposable;

/// <summary>What a registration of a client returns, so that more can be registered with it.</summary>
public interface IDaprServiceBuilder
{
    /// <summary>The services registered so far.</summary>
    IServiceCollection Services { get; }
}
