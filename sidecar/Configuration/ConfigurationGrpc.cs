using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Configuration;
using DaprPlatform.Sidecar.Http;
using Grpc.Core;
using Common = Dapr.Proto.Common.V1;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of configuration.</summary>
internal sealed partial class DaprGrpcService
{
    private ConfigurationApi Configuration => field ??= _runtime.Block<ConfigurationApi>();

    public override Task<GetConfigurationResponse> GetConfiguration(GetConfigurationRequest request, ServerCallContext context) => Translated(GetConfigurationAsync(request, context));

    public override Task<GetConfigurationResponse> GetConfigurationAlpha1(GetConfigurationRequest request, ServerCallContext context) => GetConfiguration(request, context);

    public override async Task SubscribeConfiguration(SubscribeConfigurationRequest request, IServerStreamWriter<SubscribeConfigurationResponse> responseStream, ServerCallContext context)
    {
        var subscription = await Translated(Configuration.SubscribeAsync(request.StoreName, request.Keys, request.Metadata, context.CancellationToken)).ConfigureAwait(false);
        try
        {
            await responseStream.WriteAsync(new SubscribeConfigurationResponse { Id = subscription.Id }).ConfigureAwait(false);
            await foreach (var (key, item) in subscription.ChangesAsync(context.CancellationToken).ConfigureAwait(false))
                await responseStream.WriteAsync(new SubscribeConfigurationResponse { Id = subscription.Id, Items = { [key] = ToProto(item) } }).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            // The subscriber has gone.
        }
        finally
        {
            await Configuration.EndAsync(subscription.Id).ConfigureAwait(false);
        }
    }

    public override Task SubscribeConfigurationAlpha1(SubscribeConfigurationRequest request, IServerStreamWriter<SubscribeConfigurationResponse> responseStream, ServerCallContext context) =>
        SubscribeConfiguration(request, responseStream, context);

    // As recorded: an id that is not known is no error here, whatever the store is called.
    public override async Task<UnsubscribeConfigurationResponse> UnsubscribeConfiguration(UnsubscribeConfigurationRequest request, ServerCallContext context) =>
        await Configuration.EndAsync(request.Id).ConfigureAwait(false)
            ? new UnsubscribeConfigurationResponse { Ok = true }
            : new UnsubscribeConfigurationResponse { Message = $"failed to unsubscribe to configuration request {request.Id}: subscription does not exist" };

    public override Task<UnsubscribeConfigurationResponse> UnsubscribeConfigurationAlpha1(UnsubscribeConfigurationRequest request, ServerCallContext context) => UnsubscribeConfiguration(request, context);

    private async ValueTask<GetConfigurationResponse> GetConfigurationAsync(GetConfigurationRequest request, ServerCallContext context)
    {
        var response = new GetConfigurationResponse();
        foreach (var (key, item) in await Configuration.GetAsync(request.StoreName, request.Keys, request.Metadata, context.CancellationToken).ConfigureAwait(false))
            response.Items[key] = ToProto(item);
        return response;
    }

    private static Common.ConfigurationItem ToProto(ConfigurationItem item)
    {
        var proto = new Common.ConfigurationItem { Value = item.Value, Version = item.Version };
        foreach (var (name, value) in item.Metadata ?? new Dictionary<string, string>())
            proto.Metadata[name] = value;
        return proto;
    }
}
