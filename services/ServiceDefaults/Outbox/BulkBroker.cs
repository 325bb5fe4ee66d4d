using System.Globalization;
using System.Text.Json;
using Dapr;
using Dapr.Proto.Runtime.V1;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Metrics;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Configuration;

namespace DaprPlatform.ServiceDefaults.Outbox;

/// <summary>Publishes many events of one topic by one call, each with its own key.</summary>
internal interface IBulkBroker
{
    /// <summary>Returns when all of them are published.</summary>
    /// <exception cref="RpcException">Some are not, and nobody knows which.</exception>
    Task PublishAsync(string topic, IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken);
}

/// <summary>
/// The sidecar's bulk publish, called as it is on the wire: the client of the SDK has no way to give an entry metadata of its own, and with them its partition key.
/// </summary>
internal sealed class BulkBroker : IBulkBroker, IDisposable
{
    private const string CloudEventJson = "application/cloudevents+json";
    private const string Service = "dapr.proto.runtime.v1.Dapr";
    private static readonly Method<BulkPublishRequest, BulkPublishResponse> Stable = MethodOf("BulkPublishEvent");
    private static readonly Method<BulkPublishRequest, BulkPublishResponse> Alpha = MethodOf("BulkPublishEventAlpha1");

    private readonly string _service;
    private readonly GrpcChannel _channel;
    private readonly CallInvoker _invoker;
    private readonly Metadata _headers = [];
    // Older sidecars know the method by its alpha name only.
    private volatile Method<BulkPublishRequest, BulkPublishResponse> _method = Stable;

    public BulkBroker(IConfiguration configuration, ServiceName service)
    {
        _service = service.Value;
        _channel = GrpcChannel.ForAddress(DaprDefaults.GetDefaultGrpcEndpoint(configuration));
        _invoker = _channel.CreateCallInvoker();
        if (DaprDefaults.GetDefaultDaprApiToken(configuration) is { Length: > 0 } token)
            _headers.Add("dapr-api-token", token);
    }

    public async Task PublishAsync(string topic, IReadOnlyList<OutboxMessage> messages, CancellationToken cancellationToken)
    {
        var request = new BulkPublishRequest { PubsubName = PubSub.Name, Topic = topic };
        for (var i = 0; i < messages.Count; i++)
            request.Entries.Add(new BulkPublishRequestEntry
            {
                EntryId = i.ToString(CultureInfo.InvariantCulture),
                Event = UnsafeByteOperations.UnsafeWrap(JsonSerializer.SerializeToUtf8Bytes(new OutboxEnvelope(messages[i], _service), JsonSerializerOptions.Web)),
                ContentType = CloudEventJson,
                Metadata = { ["partitionKey"] = messages[i].PartitionKey },
            });
        try
        {
            await CallAsync(_method, request, cancellationToken);
        }
        catch (RpcException e) when (_method == Stable && IsUnknownMethod(e))
        {
            await CallAsync(Alpha, request, cancellationToken);
            _method = Alpha;
        }
    }

    public void Dispose() => _channel.Dispose();

    private async Task CallAsync(Method<BulkPublishRequest, BulkPublishResponse> method, BulkPublishRequest request, CancellationToken cancellationToken)
    {
        using var call = _invoker.AsyncUnaryCall(method, null, new CallOptions(_headers, cancellationToken: cancellationToken), request);
        var response = await call.ResponseAsync;
        if (response.FailedEntries.Count > 0)
            throw new RpcException(new Status(StatusCode.Internal, response.FailedEntries[0].Error));
    }

    // A sidecar that does not know a method tries to pass the call on to an app, and misses the app's id.
    private static bool IsUnknownMethod(RpcException e) =>
        e.StatusCode == StatusCode.Unimplemented || (e.StatusCode == StatusCode.Unknown && e.Status.Detail.Contains("dapr-callee-app-id or dapr-app-id", StringComparison.Ordinal));

    private static Method<BulkPublishRequest, BulkPublishResponse> MethodOf(string name) =>
        new(
            MethodType.Unary,
            Service,
            name,
            Marshallers.Create<BulkPublishRequest>(static message => message.ToByteArray(), BulkPublishRequest.Parser.ParseFrom),
            Marshallers.Create<BulkPublishResponse>(static message => message.ToByteArray(), BulkPublishResponse.Parser.ParseFrom));
}
