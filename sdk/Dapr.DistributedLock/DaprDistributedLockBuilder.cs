using System.Diagnostics.CodeAnalysis;
using Dapr.Common;
using Microsoft.Extensions.Configuration;

namespace Dapr.DistributedLock;

/// <summary>Builds a <see cref="DaprDistributedLockClient"/>.</summary>
[Experimental("DAPR_DISTRIBUTEDLOCK")]
public sealed class DaprDistributedLockBuilder : DaprGenericClientBuilder<DaprDistributedLockClient>
{
    /// <summary>Takes addresses and token from the configuration, then from the environment.</summary>
    public DaprDistributedLockBuilder(IConfiguration? configuration = null)
        : base(configuration)
    {
    }

    /// <inheritdoc />
    public override DaprDistributedLockClient Build() => new DaprDistributedLockGrpcClient(CreateChannel(), DaprApiToken);
}
