using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.Extensions.Logging;

namespace Grpc.Net.Client;

/// <summary>Options of a <see cref="GrpcChannel"/>.</summary>
public sealed class GrpcChannelOptions
{
    /// <summary>Options with their defaults.</summary>
    public GrpcChannelOptions()
    {
    }

    /// <summary>Credentials of the channel; null takes those that fit the address's scheme.</summary>
    public ChannelCredentials? Credentials { get; set; }

    /// <summary>Largest message that is sent, in bytes; null means no limit, the default. A larger one fails with ResourceExhausted.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Largest message that is received, in bytes; null means no limit, the default is 4 MiB. A larger one fails with ResourceExhausted.</summary>
    public int? MaxReceiveMessageSize { get; set; } = GrpcNames.DefaultMaxReceiveMessageSize;

    /// <summary>Where the channel logs to; nowhere by default.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>A client to make calls with. Exclusive with <see cref="HttpHandler"/>. Its timeout applies to calls too.</summary>
    public HttpClient? HttpClient { get; set; }

    /// <summary>A handler to make calls with. Exclusive with <see cref="HttpClient"/>. By default the channel has one of its own.</summary>
    public HttpMessageHandler? HttpHandler { get; set; }

    /// <summary>Whether the channel's disposal disposes the given client or handler; the channel's own is always disposed.</summary>
    public bool DisposeHttpClient { get; set; }

    /// <summary>Whether a call that is cancelled or passes its deadline throws <see cref="OperationCanceledException"/> instead of <see cref="RpcException"/>.</summary>
    public bool ThrowOperationCanceledOnCancellation { get; set; }

    /// <summary>Whether call credentials are sent even if the address is not <c>https</c>.</summary>
    public bool UnsafeUseInsecureChannelCallCredentials { get; set; }

    /// <summary>HTTP version of the requests; 2.0 by default.</summary>
    public Version? HttpVersion { get; set; }

    /// <summary>How far the version may differ; by default not at all, so that <c>http</c> addresses are spoken to in HTTP/2 from the first byte.</summary>
    public HttpVersionPolicy? HttpVersionPolicy { get; set; }

    internal TimeProvider? TimeProvider { get; set; }
}
