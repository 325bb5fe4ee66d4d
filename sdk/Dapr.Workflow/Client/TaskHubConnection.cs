using Dapr.Common;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using P = Dapr.DurableTask.Protobuf;

namespace Dapr.Workflow.Client;

/// <summary>The sidecar's workflow service, and what every call to it carries.</summary>
internal sealed class TaskHubConnection(CallInvoker invoker, string? apiToken, IDisposable? channel = null) : IDisposable
{
    public P.TaskHubSidecarService.TaskHubSidecarServiceClient Client { get; } = new(invoker);

    public static TaskHubConnection Open(
        string endpoint,
        string? apiToken,
        GrpcChannelOptions? given = null,
        MessageLimits? limits = null,
        ILoggerFactory? loggers = null)
    {
        Endpoints.Parse(endpoint, "gRPC");
        var options = new GrpcChannelOptions
        {
            ThrowOperationCanceledOnCancellation = true,
            LoggerFactory = given?.LoggerFactory ?? loggers,
            Credentials = given?.Credentials,
            HttpClient = given?.HttpClient,
            HttpHandler = given?.HttpHandler,
            DisposeHttpClient = given?.DisposeHttpClient ?? false,
            UnsafeUseInsecureChannelCallCredentials = given?.UnsafeUseInsecureChannelCallCredentials ?? false,
            HttpVersion = given?.HttpVersion,
            HttpVersionPolicy = given?.HttpVersionPolicy,
            // The sidecar limits what it accepts; a history it could build must be readable.
            MaxReceiveMessageSize = limits?.Receive ?? given?.MaxReceiveMessageSize,
            MaxSendMessageSize = limits?.Send ?? given?.MaxSendMessageSize,
        };
        if (options.HttpClient is null && options.HttpHandler is null)
        {
            options.DisposeHttpClient = true;
            options.HttpHandler = new SocketsHttpHandler
            {
                EnableMultipleHttp2Connections = true,
                PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
                // The stream of work items may be silent for hours; only pings tell that the other end is gone.
                KeepAlivePingDelay = TimeSpan.FromSeconds(60),
                KeepAlivePingTimeout = TimeSpan.FromSeconds(30),
                KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            };
        }

        var channel = GrpcChannel.ForAddress(endpoint, options);
        return new TaskHubConnection(channel.CreateCallInvoker(), apiToken, channel);
    }

    public CallOptions Options(CancellationToken cancellationToken) => DaprHeaders.CallOptions(apiToken, cancellationToken);

    public void Dispose() => channel?.Dispose();
}

/// <summary>In bytes; null: what the channel's options say.</summary>
internal sealed class MessageLimits
{
    public int? Receive { get; set; }

    public int? Send { get; set; }
}
