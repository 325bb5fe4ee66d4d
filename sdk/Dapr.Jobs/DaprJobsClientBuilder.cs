using Dapr.Common;
using Microsoft.Extensions.Configuration;

namespace Dapr.Jobs;

/// <summary>Builds a <see cref="DaprJobsClient"/>.</summary>
public sealed class DaprJobsClientBuilder : DaprGenericClientBuilder<DaprJobsClient>
{
    /// <summary>Takes addresses and token from the configuration, then from the environment.</summary>
    public DaprJobsClientBuilder(IConfiguration? configuration = null)
        : base(configuration)
    {
    }

    /// <inheritdoc />
    public override DaprJobsClient Build() => new DaprJobsGrpcClient(CreateChannel(), DaprApiToken);
}
