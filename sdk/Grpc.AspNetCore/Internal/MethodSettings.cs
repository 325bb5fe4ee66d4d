using System.IO.Compression;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>What all calls of a method share.</summary>
internal sealed class MethodSettings
{
    /// <summary>Kestrel's own limit of a request's body, in bytes, which a larger message size lifts.</summary>
    const int DefaultBodyLimit = 30_000_000;

    public MethodSettings(IMethod method, GrpcServiceOptions options, ILogger logger)
    {
        if (options.ResponseCompressionAlgorithm is not (null or GrpcNames.Gzip or GrpcNames.Identity))
            throw new InvalidOperationException($"The configured response compression algorithm '{options.ResponseCompressionAlgorithm}' is not supported; '{GrpcNames.Gzip}' is.");
        Method = method;
        Logger = logger;
        TimeProvider = options.TimeProvider;
        MaxReceiveMessageSize = options.MaxReceiveMessageSize;
        MaxSendMessageSize = options.MaxSendMessageSize;
        EnableDetailedErrors = options.EnableDetailedErrors ?? false;
        Gzip = options.ResponseCompressionAlgorithm == GrpcNames.Gzip;
        GzipLevel = options.ResponseCompressionLevel ?? CompressionLevel.Fastest;
        LiftBodyLimits = method.Type is MethodType.ClientStreaming or MethodType.DuplexStreaming || (MaxReceiveMessageSize ?? int.MaxValue) >= DefaultBodyLimit - Frame.HeaderSize;
    }

    public IMethod Method { get; }

    public ILogger Logger { get; }

    public TimeProvider TimeProvider { get; }

    public int? MaxReceiveMessageSize { get; }

    public int? MaxSendMessageSize { get; }

    public bool EnableDetailedErrors { get; }

    public bool Gzip { get; }

    public CompressionLevel GzipLevel { get; }

    public bool LiftBodyLimits { get; }
}
