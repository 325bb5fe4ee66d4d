using System.Runtime.CompilerServices;
using Dapr.Common;
using Grpc.Core;
using Wire = Dapr.Proto.Runtime.V1;

namespace Dapr.Client;

internal sealed class SubscribedConfiguration(AsyncServerStreamingCall<Wire.SubscribeConfigurationResponse> call) : ConfigurationSource
{
    volatile string _id = "";

    public override string Id => _id;

    public override IAsyncEnumerator<IDictionary<string, ConfigurationItem>> GetAsyncEnumerator(CancellationToken cancellationToken = default) =>
        Read(cancellationToken).GetAsyncEnumerator(cancellationToken);

    async IAsyncEnumerable<IDictionary<string, ConfigurationItem>> Read([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using (call)
        {
            while (await Next(cancellationToken).ConfigureAwait(false))
            {
                var message = call.ResponseStream.Current;
                _id = message.Id;
                yield return message.Items.ToDictionary(i => i.Key, i => new ConfigurationItem(i.Value.Value, i.Value.Version, i.Value.Metadata));
            }
        }
    }

    async Task<bool> Next(CancellationToken cancellationToken)
    {
        try
        {
            return await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw GrpcCalls.Failed("SubscribeConfiguration", e);
        }
    }
}
