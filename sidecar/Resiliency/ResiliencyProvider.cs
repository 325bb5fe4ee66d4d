using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Resources;

namespace DaprPlatform.Sidecar.Resiliency;

internal enum ComponentDirection
{
    Inbound,
    Outbound,
}

/// <summary>The policies of all Resiliency resources, by target (https://docs.dapr.io/operations/resiliency/).</summary>
internal sealed class ResiliencyProvider
{
    public static ResiliencyProvider None { get; } = new();

    public static ResiliencyProvider Create(IReadOnlyList<Resource> resources, SidecarRuntime runtime)
    {
        _ = resources;
        _ = runtime;
        return None;
    }

    /// <param name="kind">Type of component as in default policies' names, such as <c>Statestore</c> or <c>Pubsub</c>.</param>
    public ResiliencyPolicy ForComponent(string name, string kind, ComponentDirection direction) => ResiliencyPolicy.Direct;

    /// <param name="key">What the breaker is kept by, such as app id + method.</param>
    public ResiliencyPolicy ForApp(string appId, string key) => ResiliencyPolicy.Direct;

    public ResiliencyPolicy ForActor(string actorType, string actorId) => ResiliencyPolicy.Direct;
}

/// <summary>Runs an operation under timeout (each attempt), circuit breaker and retry, in this order from the inside.</summary>
internal class ResiliencyPolicy
{
    /// <summary>No policy: the operation as it is.</summary>
    public static ResiliencyPolicy Direct { get; } = new();

    /// <summary>True when a policy applies at all; false for <see cref="Direct"/>.</summary>
    public virtual bool IsDefined => false;

    /// <summary>
    /// Runs the operation, again while it throws and the policy says so. The last exception goes through; <see cref="PermanentException"/> is never retried
    /// (its inner exception is thrown).
    /// </summary>
    public virtual ValueTask<T> RunAsync<T>(Func<CancellationToken, ValueTask<T>> operation, CancellationToken cancellationToken) => operation(cancellationToken);
}

/// <summary>A failure that repeating cannot mend.</summary>
internal sealed class PermanentException(Exception inner) : Exception(inner.Message, inner);
