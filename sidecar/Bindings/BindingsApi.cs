using System.Text.Json;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Bindings;

/// <summary>The bindings API (https://docs.dapr.io/reference/api/bindings_api/): what apps ask of output bindings, and the input bindings of the sidecar.</summary>
internal sealed class BindingsApi : IBuildingBlock, IAsyncDisposable
{
    private const string ErrorCode = "ERR_INVOKE_OUTPUT_BINDING";
    private readonly SidecarRuntime _runtime;
    private readonly InputBindings _inputs;

    public BindingsApi(SidecarRuntime runtime)
    {
        _runtime = runtime;
        _inputs = new InputBindings(runtime, this);
    }

    public void MapHttp(Router router) => router.Map("bindings", "v1.0", "POST,PUT", "bindings/{name}", InvokeAsync);

    public Task AppReadyAsync(CancellationToken cancellationToken) => _inputs.StartAsync(cancellationToken);

    public Task AppGoneAsync() => _inputs.StopAsync();

    public ValueTask DisposeAsync() => new(_inputs.StopAsync());

    /// <summary>Goes on with components that came, were replaced or went (hot reload).</summary>
    public Task ReloadedAsync(CancellationToken cancellationToken) => _inputs.ReloadAsync(cancellationToken);

    /// <summary>Invokes an output binding under its policy. Null: it answers nothing.</summary>
    /// <exception cref="ApiException">There is none of that name, it does not know the operation, or it fails; the inner exception is the binding's.</exception>
    public async ValueTask<BindingResponse?> InvokeAsync(string name, BindingRequest request, CancellationToken cancellationToken)
    {
        if (request.Operation.Length == 0)
            throw Failed(name, "operation field is missing from request");
        if (!_runtime.Components.TryGet<IOutputBinding>(name, out var binding) || _runtime.Components.SpecOf(name) is not { } spec || !BindingDirection.IsOutput(spec))
            throw Failed(name, $"couldn't find output binding {name}");
        if (!binding.Operations.Contains(request.Operation))
            throw Failed(name, $"binding {name} does not support operation {request.Operation}. supported operations:{string.Join(' ', binding.Operations)}");
        using var counted = new CountedOperation(_runtime.Metrics, "output_binding", name, request.Operation);
        try
        {
            return counted.Done(await _runtime.Resiliency.ForComponent(name, "Binding", ComponentDirection.Outbound)
                .RunAsync(token => binding.InvokeAsync(request, token), cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (e is not (ApiException or OutOfMemoryException) && !cancellationToken.IsCancellationRequested)
        {
            throw Failed(name, e.Message, e);
        }
    }

    private static ApiException Failed(string name, string error, Exception? inner = null) => new(500, StatusCode.Internal, ErrorCode, $"error invoking output binding {name}: {error}")
    {
        GrpcDetails = [ApiException.Info(ErrorCode)],
        Data = { ["metadata"] = (inner as BindingException)?.Metadata },
    };

    private async Task InvokeAsync(ApiContext context)
    {
        var request = await ReadAsync(context).ConfigureAwait(false);
        BindingResponse? response;
        try
        {
            response = await InvokeAsync(context["name"], request, context.Cancelled).ConfigureAwait(false);
        }
        catch (ApiException e)
        {
            AddMetadata(context, e.Data["metadata"] as IReadOnlyDictionary<string, string>);
            throw;
        }

        AddMetadata(context, response?.Metadata);
        if (response is null)
            await context.NoContent().ConfigureAwait(false);
        else
            await context.Bytes(response.Data).ConfigureAwait(false);
    }

    private static void AddMetadata(ApiContext context, IReadOnlyDictionary<string, string>? metadata)
    {
        foreach (var (name, value) in metadata ?? new Dictionary<string, string>())
        {
            // What an answer from outside says must not break this one.
            if (name.All(static c => c is > ' ' and <= '~' and not ':') && value.All(static c => c is >= ' ' and <= '~'))
                context.Http.Response.Headers["metadata." + name] = value;
        }
    }

    // {"data": any, "metadata": {}, "operation": "create"}; the data are JSON, written as Go writes it.
    private static async ValueTask<BindingRequest> ReadAsync(ApiContext context)
    {
        byte[] body;
        try
        {
            body = await context.BodyAsync().ConfigureAwait(false);
        }
        catch (BodyTooLargeException e)
        {
            throw Malformed(e.Message);
        }

        if (body.Length == 0)
            throw Malformed("EOF");
        try
        {
            var reader = new Utf8JsonReader(body, GoJson.ReaderOptions);
            using var json = JsonDocument.ParseValue(ref reader);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw Malformed("json: cannot unmarshal value into Go value of type bindings.OutputBindingRequest");
            var operation = "";
            var data = "null"u8.ToArray();
            var metadata = new Dictionary<string, string>();
            foreach (var member in json.RootElement.EnumerateObject())
            {
                if (member.Name.Equals("operation", StringComparison.OrdinalIgnoreCase) && member.Value.ValueKind == JsonValueKind.String)
                {
                    operation = member.Value.GetString()!;
                }
                else if (member.Name.Equals("data", StringComparison.OrdinalIgnoreCase))
                {
                    data = GoJson.Canonical(System.Text.Encoding.UTF8.GetBytes(member.Value.GetRawText()));
                }
                else if (member.Name.Equals("metadata", StringComparison.OrdinalIgnoreCase) && member.Value.ValueKind == JsonValueKind.Object)
                {
                    foreach (var item in member.Value.EnumerateObject())
                        metadata[item.Name] = item.Value.ValueKind == JsonValueKind.String ? item.Value.GetString()! : throw Malformed($"json: cannot unmarshal {item.Value.ValueKind} into Go struct field .metadata of type string");
                }
            }

            AddTrace(metadata);
            return new BindingRequest(operation, data, metadata);
        }
        catch (JsonException e)
        {
            throw Malformed(GoSyntax.Fault(body) ?? e.Message);
        }

        static ApiException Malformed(string reason) => ApiException.BadRequest("ERR_MALFORMED_REQUEST", $"failed deserializing HTTP body: {reason}");
    }

    /// <summary>The trace of the request, which a binding may pass on. It takes the place of one that the caller put into the metadata, as in daprd.</summary>
    public static void AddTrace(Dictionary<string, string> metadata)
    {
        if (Span.Current is not { } span)
            return;
        metadata["traceparent"] = span.TraceParent;
        if (span.Context.State.Length > 0)
            metadata["tracestate"] = span.Context.State;
        if (span.Baggage.Length > 0)
            metadata["baggage"] = span.Baggage;
    }
}
