namespace Grpc.Core.Wire;

/// <summary>Names of the gRPC-over-HTTP/2 protocol.</summary>
internal static class GrpcNames
{
    public const string ContentType = "application/grpc";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";
    public const string Te = "te";
    public const string Trailers = "trailers";
    public const string UserAgent = "user-agent";
    public const string Identity = "identity";
    public const string Gzip = "gzip";

    /// <summary>What this implementation can read, as the value of <see cref="AcceptEncoding"/>.</summary>
    public const string AcceptedEncodings = "identity,gzip";

    /// <summary>Pseudo metadata: the sender of a call's messages asks for this encoding. Never sent.</summary>
    public const string EncodingRequest = "grpc-internal-encoding-request";

    /// <summary>Default of the largest message that is received, in bytes.</summary>
    public const int DefaultMaxReceiveMessageSize = 4 * 1024 * 1024;

    public static bool IsGrpcContentType(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is '+' or ';');
}
