using Dapr.Common;
using Grpc.Net.Client;
using Wire = Dapr.Proto.Runtime.V1;

namespace Dapr.Messaging.PublishSubscribe;

internal sealed class DaprPublishSubscribeGrpcClient(GrpcChannel channel, string apiToken) : DaprPublishSubscribeClient
{
    readonly Wire.Dapr.DaprClient _client = new(channel);

    public override async Task<IAsyncDisposable> SubscribeAsync(
        string pubSubName, string topicName, DaprSubscriptionOptions options, TopicMessageHandler messageHandler, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(pubSubName);
        ArgumentException.ThrowIfNullOrEmpty(topicName);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(messageHandler);
        var subscription = new Subscription(stop => _client.SubscribeTopicEventsAlpha1(DaprHeaders.CallOptions(apiToken, stop)), options, messageHandler, cancellationToken);
        try
        {
            await subscription.Start(pubSubName, topicName).ConfigureAwait(false);
            return subscription;
        }
        catch
        {
            await subscription.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            channel.Dispose();
    }
}
