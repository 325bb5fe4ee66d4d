using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Http;

/// <summary>
/// A refusal of the Dapr API. One error serves both faces: over HTTP it is <c>{"errorCode","message"[,"details"]}</c>, over gRPC a status whose details
/// travel in <c>grpc-status-details-bin</c>. Details keep Dapr's order: ResourceInfo first, ErrorInfo last.
/// </summary>
internal sealed class ApiException : Exception
{
    public ApiException(int httpStatus, StatusCode grpcCode, string errorCode, string message, params IMessage[] details)
        : base(message)
    {
        HttpStatus = httpStatus;
        GrpcCode = grpcCode;
        ErrorCode = errorCode;
        Details = details;
    }

    public int HttpStatus { get; }

    public StatusCode GrpcCode { get; }

    /// <summary>Dapr's tag, such as <c>ERR_STATE_GET</c>.</summary>
    public string ErrorCode { get; }

    public IReadOnlyList<IMessage> Details { get; }

    /// <summary>Further members of the HTTP body, such as <c>failedEntries</c> of a bulk publish; null is none.</summary>
    public JsonObject? HttpExtra { get; init; }

    /// <summary>The message over gRPC where it is not that of HTTP; null is the same.</summary>
    public string? GrpcMessage { get; init; }

    /// <summary>The details over gRPC where they are not those of HTTP; null are the same.</summary>
    public IReadOnlyList<IMessage>? GrpcDetails { get; init; }

    /// <summary>An ErrorInfo without metadata shows <c>{}</c> over HTTP instead of <c>null</c>, as some of daprd's do.</summary>
    public bool ShowsEmptyMetadata { get; init; }

    public static ApiException BadRequest(string errorCode, string message) => new(400, StatusCode.InvalidArgument, errorCode, message);

    public static ApiException Internal(string errorCode, string message) => new(500, StatusCode.Internal, errorCode, message);

    public static ErrorInfo Info(string reason, params (string Key, string Value)[] metadata)
    {
        var info = new ErrorInfo { Reason = reason, Domain = "dapr.io" };
        foreach (var (key, value) in metadata)
            info.Metadata[key] = value;
        return info;
    }

    public static ResourceInfo Resource(string type, string name, string owner = "", string description = "") =>
        new() { ResourceType = type, ResourceName = name, Owner = owner, Description = description };

    /// <summary>The body of the HTTP answer.</summary>
    public byte[] ToJson()
    {
        var body = new JsonObject { ["errorCode"] = ErrorCode, ["message"] = Message };
        if (Details.Count > 0)
            body["details"] = new JsonArray([.. Details.Select(DetailJson)]);
        if (HttpExtra is { } extra)
        {
            foreach (var (key, value) in extra)
                body[key] = value?.DeepClone();
        }

        return JsonSerializer.SerializeToUtf8Bytes(body, Json.Options);
    }

    public RpcException ToRpcException()
    {
        var message = GrpcMessage ?? Message;
        var trailers = new Metadata();
        var details = GrpcDetails ?? Details;
        if (details.Count > 0)
        {
            var status = new Google.Rpc.Status { Code = (int)GrpcCode, Message = message };
            status.Details.AddRange(details.Select(d => Any.Pack(d)));
            trailers.Add("grpc-status-details-bin", status.ToByteArray());
        }

        return new RpcException(new Grpc.Core.Status(GrpcCode, message), trailers);
    }

    // ErrorInfo and ResourceInfo always show all their fields, as recorded.
    private JsonNode DetailJson(IMessage detail)
    {
        switch (detail)
        {
            case ErrorInfo info:
                var metadata = new JsonObject();
                foreach (var (key, value) in info.Metadata)
                    metadata[key] = value;
                return new JsonObject { ["@type"] = TypeUrl(info), ["domain"] = info.Domain, ["metadata"] = info.Metadata.Count > 0 || ShowsEmptyMetadata ? metadata : null, ["reason"] = info.Reason };
            case ResourceInfo resource:
                return new JsonObject
                {
                    ["@type"] = TypeUrl(resource), ["description"] = resource.Description, ["owner"] = resource.Owner,
                    ["resource_name"] = resource.ResourceName, ["resource_type"] = resource.ResourceType,
                };
        }

        var json = new JsonObject { ["@type"] = TypeUrl(detail) };
        foreach (var field in detail.Descriptor.Fields.InFieldNumberOrder())
        {
            var value = field.Accessor.GetValue(detail);
            switch (value)
            {
                case string { Length: > 0 } text:
                    json[field.Name] = text;
                    break;
                case System.Collections.IDictionary { Count: > 0 } map:
                    var members = new JsonObject();
                    foreach (System.Collections.DictionaryEntry entry in map)
                        members[(string)entry.Key] = (string)entry.Value!;
                    json[field.Name] = members;
                    break;
                case System.Collections.IList { Count: > 0 } list:
                    json[field.Name] = new JsonArray([.. list.Cast<IMessage>().Select(Untyped)]);
                    break;
            }
        }

        return json;

        static string TypeUrl(IMessage message) => "type.googleapis.com/" + message.Descriptor.FullName;

        JsonNode Untyped(IMessage message)
        {
            var inner = (JsonObject)DetailJson(message);
            inner.Remove("@type");
            return inner;
        }
    }
}
