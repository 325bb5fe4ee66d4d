using System.Net.Sockets;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Pluggable.Wire;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Pluggable;

/// <summary>
/// Types of components that are programs of their own (https://docs.dapr.io/developing-applications/develop-components/pluggable-components/): every socket in the folder of
/// DAPR_COMPONENTS_SOCKETS_FOLDER is asked by gRPC reflection what it serves, and is then a type of that kind, named as the socket's file.
/// </summary>
internal sealed partial class PluggableComponents : IAsyncDisposable
{
    // Dapr's documented default, the same on every machine: programs written for it put their sockets there.
    private const string DefaultFolder = "/tmp/dapr-components-sockets";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly Method<ServerReflectionRequest, ServerReflectionResponse> FinalReflection = new(MethodType.DuplexStreaming, "grpc.reflection.v1.ServerReflection", "ServerReflectionInfo",
        Marshallers.Create(static message => Google.Protobuf.MessageExtensions.ToByteArray(message), ServerReflectionRequest.Parser.ParseFrom),
        Marshallers.Create(static message => Google.Protobuf.MessageExtensions.ToByteArray(message), ServerReflectionResponse.Parser.ParseFrom));
    private readonly Dictionary<string, ComponentType> _types = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<GrpcChannel> _channels = [];

    /// <summary>None.</summary>
    public static PluggableComponents Empty { get; } = new();

    public ComponentType? Find(string type, string version) => version is "" or "v1" ? _types.GetValueOrDefault(type) : null;

    public static async Task<PluggableComponents> DiscoverAsync(SidecarOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        var folder = options.Variable("DAPR_COMPONENTS_SOCKETS_FOLDER") ?? DefaultFolder;
        if (OperatingSystem.IsWindows() || !Directory.Exists(folder))
            return Empty;
        var found = new PluggableComponents();
        foreach (var socket in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
        {
            if (!File.GetAttributes(socket).HasFlag(FileAttributes.Directory) && IsSocket(socket))
                await found.AddAsync(socket, logger, cancellationToken).ConfigureAwait(false);
        }

        return found;
    }

    public ValueTask DisposeAsync()
    {
        // Nothing is changed: sidecars without such types have one object in common, and may end at the same moment.
        foreach (var channel in _channels)
            channel.Dispose();
        return ValueTask.CompletedTask;
    }

    // .NET shows sockets as files without content that cannot be opened.
    private static bool IsSocket(string path)
    {
        try
        {
            using var _ = new FileStream(path, FileMode.Open, FileAccess.Read);
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    private async Task AddAsync(string socket, ILogger logger, CancellationToken cancellationToken)
    {
        var channel = Connect(socket);
        try
        {
            var services = await ServicesAsync(channel, cancellationToken).ConfigureAwait(false);
            _channels.Add(channel);
            var name = Path.GetFileNameWithoutExtension(socket);
            var calls = channel.CreateCallInvoker();
            if (services.Contains("dapr.proto.components.v1.StateStore"))
                Register($"state.{name}", spec => new PluggableStateStore(spec, calls, services.Contains("dapr.proto.components.v1.TransactionalStateStore"),
                    services.Contains("dapr.proto.components.v1.QueriableStateStore"), services.Contains("dapr.proto.components.v1.TransactionalStoreMultiMaxSize")));
            if (services.Contains("dapr.proto.components.v1.PubSub"))
                Register($"pubsub.{name}", spec => new PluggablePubSub(spec, calls));
            if (services.Contains("dapr.proto.components.v1.SecretStore"))
                Register($"secretstores.{name}", spec => new PluggableSecretStore(spec, calls));
            var (input, output) = (services.Contains("dapr.proto.components.v1.InputBinding"), services.Contains("dapr.proto.components.v1.OutputBinding"));
            if (input || output)
                Register($"bindings.{name}", spec => input && output ? new PluggableBinding(spec, calls) : input ? new PluggableInputBinding(spec, calls) : new PluggableOutputBinding(spec, calls));
        }
        catch (Exception e) when (e is RpcException or HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            LogUnusable(logger, socket, (e as RpcException)?.Status.Detail ?? e.Message);
            channel.Dispose();
        }

        void Register(string type, Func<ComponentSpec, IComponent> create)
        {
            _types[type] = new ComponentType(type, create);
            LogRegistered(logger, type, socket);
        }
    }

    private static GrpcChannel Connect(string path)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
            UseProxy = false,
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = true,
        };
        return GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true, MaxReceiveMessageSize = null, MaxSendMessageSize = null });
    }

    private static async Task<HashSet<string>> ServicesAsync(GrpcChannel channel, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        var calls = channel.CreateCallInvoker();
        try
        {
            return await ServicesAsync(new ServerReflection.ServerReflectionClient(calls).ServerReflectionInfo(cancellationToken: limit.Token), limit.Token).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.Unimplemented)
        {
            // Newer libraries serve the same under its final name, and some under that alone.
            return await ServicesAsync(calls.AsyncDuplexStreamingCall(FinalReflection, null, new CallOptions(cancellationToken: limit.Token)), limit.Token).ConfigureAwait(false);
        }
    }

    private static async Task<HashSet<string>> ServicesAsync(AsyncDuplexStreamingCall<ServerReflectionRequest, ServerReflectionResponse> reflection, CancellationToken cancellationToken)
    {
        using var call = reflection;
        await call.RequestStream.WriteAsync(new ServerReflectionRequest { ListServices = "*" }).ConfigureAwait(false);
        var services = new HashSet<string>(StringComparer.Ordinal);
        if (await call.ResponseStream.MoveNext(cancellationToken).ConfigureAwait(false) && call.ResponseStream.Current.ListServicesResponse is { } list)
            services.UnionWith(list.Service.Select(s => s.Name));
        await call.RequestStream.CompleteAsync().ConfigureAwait(false);
        return services;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "pluggable component type {Type} found at {Socket}")]
    private static partial void LogRegistered(ILogger logger, string type, string socket);

    [LoggerMessage(Level = LogLevel.Warning, Message = "pluggable component at {Socket} cannot be used: {Reason}")]
    private static partial void LogUnusable(ILogger logger, string socket, string reason);
}

/// <summary>What the adapters share.</summary>
internal static class PluggableCalls
{
    /// <summary>Tells a program that serves several components which one is meant.</summary>
    public static Metadata Headers(ComponentSpec spec) => new() { { "x-component-instance", spec.Name } };

    public static MetadataRequest Properties(ComponentSpec spec)
    {
        var request = new MetadataRequest();
        foreach (var (name, value) in spec.Metadata)
            request.Properties[name] = value;
        return request;
    }

    public static void Add(this Google.Protobuf.Collections.MapField<string, string> into, IReadOnlyDictionary<string, string>? from)
    {
        foreach (var (name, value) in from ?? new Dictionary<string, string>())
            into[name] = value;
    }

    /// <summary>Runs the initialisation; its failure is the component's.</summary>
    public static async Task InitAsync<T>(AsyncUnaryCall<T> call)
    {
        try
        {
            await call.ResponseAsync.ConfigureAwait(false);
        }
        catch (RpcException e)
        {
            throw new ComponentException(Words(e), e);
        }
    }

    /// <summary>As Go shows an error that came over gRPC.</summary>
    public static string Words(RpcException e) => $"rpc error: code = {(e.StatusCode == StatusCode.Cancelled ? "Canceled" : e.StatusCode.ToString())} desc = {e.Status.Detail}";
}
