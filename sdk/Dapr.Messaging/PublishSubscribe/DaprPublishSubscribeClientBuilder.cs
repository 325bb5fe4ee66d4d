using Dapr.Common;
using Microsoft.Extensions.Configuration;

namespace Dapr.Messaging.PublishSubscribe;

/// <summary>Builds a <see cref="DaprPublishSubscribeClient"/>.</summary>
public sealed class DaprPublishSubscribeClientBuilder : DaprGenericClientBuilder<DaprPublishSubscribeClient>
{
    /// <summary>Takes addresses and token from the configuration, then from the environment.</summary>
    public DaprPublishSubscribeClientBuilder(IConfiguration? configuration = null)
        : base(configuration)
    {
    }

    /// <inheritdoc />
    public override DaprPublishSubscribeClient Build() => new DaprPublishSubscribeGrpcClient(CreateChannel(), DaprApiToken);
}
