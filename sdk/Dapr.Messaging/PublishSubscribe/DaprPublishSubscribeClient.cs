using Dapr.Common;

namespace Dapr.Messaging.PublishSubscribe;

/// <summary>Takes messages of topics over a connection that the app opens: it needs no endpoint.</summary>
public abstract class DaprPublishSubscribeClient : IDaprClient
{
    bool _disposed;

    /// <summary>Subscribes to a topic. Messages come one at a time; disposing the result ends the subscription.</summary>
    /// <param name="pubSubName">The pub/sub component.</param>
    /// <param name="topicName">The topic.</param>
    /// <param name="options">How messages are taken.</param>
    /// <param name="messageHandler">Takes a message. An exception ends the subscription.</param>
    /// <param name="cancellationToken">Ends the subscription too.</param>
    /// <exception cref="DaprException">The sidecar refused.</exception>
    public abstract Task<IAsyncDisposable> SubscribeAsync(
        string pubSubName, string topicName, DaprSubscriptionOptions options, TopicMessageHandler messageHandler, CancellationToken cancellationToken = default);

    /// <inheritdoc />
    public void Dispose()
    {
        if (_disposed)
            return;
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
        _disposed = true;
    }

    /// <summary>Closes connections.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
