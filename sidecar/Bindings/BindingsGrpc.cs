using Dapr.Proto.Runtime.V1;
using DaprPlatform.Sidecar.Bindings;
using DaprPlatform.Sidecar.Http;
using Google.Protobuf;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>The gRPC face of bindings.</summary>
internal sealed partial class DaprGrpcService
{
    private BindingsApi Bindings => field ??= _runtime.Block<BindingsApi>();

    public override Task<InvokeBindingResponse> InvokeBinding(InvokeBindingRequest request, ServerCallContext context) => Translated(InvokeBindingAsync(request, context));

    private async ValueTask<InvokeBindingResponse> InvokeBindingAsync(InvokeBindingRequest request, ServerCallContext context)
    {
        var metadata = new Dictionary<string, string>(request.Metadata);
        BindingsApi.AddTrace(metadata);
        var answer = await Bindings.InvokeAsync(request.Name, new BindingRequest(request.Operation, request.Data.Memory, metadata), context.CancellationToken).ConfigureAwait(false);
        var response = new InvokeBindingResponse();
        if (answer is null)
            return response;
        response.Data = UnsafeByteOperations.UnsafeWrap(answer.Data);
        foreach (var (name, value) in answer.Metadata ?? new Dictionary<string, string>())
            response.Metadata[name] = value;
        return response;
    }
}
