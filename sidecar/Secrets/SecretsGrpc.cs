using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Secrets;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of secrets.</summary>
internal sealed partial class DaprGrpcService
{
    private SecretsApi Secrets => field ??= _runtime.Block<SecretsApi>();

    public override Task<GetSecretResponse> GetSecret(GetSecretRequest request, ServerCallContext context) => Translated(GetSecretAsync(request, context));

    public override Task<GetBulkSecretResponse> GetBulkSecret(GetBulkSecretRequest request, ServerCallContext context) => Translated(GetBulkSecretAsync(request, context));

    private async ValueTask<GetSecretResponse> GetSecretAsync(GetSecretRequest request, ServerCallContext context)
    {
        var response = new GetSecretResponse();
        foreach (var (name, value) in await Secrets.GetAsync(request.StoreName, request.Key, request.Metadata, context.CancellationToken).ConfigureAwait(false) ?? new Dictionary<string, string>())
            response.Data[name] = value;
        return response;
    }

    private async ValueTask<GetBulkSecretResponse> GetBulkSecretAsync(GetBulkSecretRequest request, ServerCallContext context)
    {
        var response = new GetBulkSecretResponse();
        foreach (var (name, secret) in await Secrets.GetAllAsync(request.StoreName, request.Metadata, context.CancellationToken).ConfigureAwait(false))
        {
            var values = new SecretResponse();
            foreach (var (key, value) in secret)
                values.Secrets[key] = value;
            response.Data[name] = values;
        }

        return response;
    }
}
