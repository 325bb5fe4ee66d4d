using System.Globalization;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Headers and trailers of responses, with values that are made once.</summary>
internal static class ResponseHeaders
{
    public static readonly StringValues GrpcContentType = GrpcNames.ContentType;
    static readonly StringValues[] StatusValues = [.. Enumerable.Range(0, 17).Select(code => new StringValues(code.ToString(CultureInfo.InvariantCulture)))];

    /// <summary>Puts the status where it belongs: into the headers if they are all that there will be, else into the trailers.</summary>
    public static void WriteStatus(HttpResponse response, Status status, Metadata? metadata, bool hasBody, ILogger? logger)
    {
        var target = hasBody || response.HasStarted ? Trailers(response) : response.Headers;
        if (metadata is { Count: > 0 })
            Add(target, metadata, logger);
        target.GrpcStatus = (int)status.StatusCode is >= 0 and <= 16 and var code
            ? StatusValues[code]
            : new StringValues(((int)status.StatusCode).ToString(CultureInfo.InvariantCulture));
        if (!string.IsNullOrEmpty(status.Detail))
            target.GrpcMessage = PercentCoding.Encode(status.Detail);
    }

    public static void WriteSuccess(HttpResponse response) => Trailers(response).GrpcStatus = StatusValues[0];

    /// <summary>A value that cannot be a header's must not keep the status from the client: it is logged and left out.</summary>
    public static void Add(IHeaderDictionary target, Metadata metadata, ILogger? logger)
    {
        foreach (var entry in metadata)
        {
            if (MetadataCoding.IsProtocolHeader(entry.Key))
                continue;
            try
            {
                target.Append(entry.Key, MetadataCoding.Encode(entry));
            }
            catch (InvalidOperationException e) when (logger is not null)
            {
                ServerLog.EntryDropped(logger, entry.Key, e);
            }
        }
    }

    static IHeaderDictionary Trailers(HttpResponse response) => response.HttpContext.Features.Get<IHttpResponseTrailersFeature>()?.Trailers
        ?? throw new InvalidOperationException("Trailers are not supported for this response. The server may not support gRPC.");
}
