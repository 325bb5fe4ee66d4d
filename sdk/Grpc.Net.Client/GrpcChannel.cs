using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Grpc.Net.Client.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Grpc.Net.Client;

/// <summary>A long-lived way to one address over HTTP/2: connections are made when needed and shared by all calls. Safe for any number of threads.</summary>
public sealed class GrpcChannel : ChannelBase, IDisposable
{
    readonly HttpMessageInvoker _invoker;
    readonly bool _disposeInvoker;
    readonly bool _callCredentialsAllowed;
    readonly ConcurrentDictionary<IMethod, Uri> _uris = [];
    readonly ActiveCalls _activeCalls = new();
    readonly List<AsyncAuthInterceptor>? _credentials;

    GrpcChannel(Uri address, GrpcChannelOptions options)
        : base(address.Authority)
    {
        if (!address.IsAbsoluteUri || address.Scheme is not ("http" or "https"))
            throw new InvalidOperationException($"Unable to determine the TLS configuration of the channel from address '{address}'. The address must have the scheme http or https.");
        if (options.HttpClient is not null && options.HttpHandler is not null)
            throw new ArgumentException($"{nameof(GrpcChannelOptions.HttpClient)} and {nameof(GrpcChannelOptions.HttpHandler)} have been configured. Only one HTTP caller can be specified.", nameof(options));

        Address = address;
        IsSecure = address.Scheme == "https";
        MaxSendMessageSize = options.MaxSendMessageSize;
        MaxReceiveMessageSize = options.MaxReceiveMessageSize;
        ThrowOperationCanceledOnCancellation = options.ThrowOperationCanceledOnCancellation;
        TimeProvider = options.TimeProvider ?? TimeProvider.System;
        HttpVersion = options.HttpVersion ?? System.Net.HttpVersion.Version20;
        HttpVersionPolicy = options.HttpVersionPolicy ?? System.Net.Http.HttpVersionPolicy.RequestVersionExact;
        Logger = (options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger<GrpcChannel>();
        _callCredentialsAllowed = IsSecure || options.UnsafeUseInsecureChannelCallCredentials;
        _credentials = ChannelCredentialsReader.Read(options.Credentials, IsSecure);

        if (options.HttpClient is not null)
        {
            _invoker = options.HttpClient;
            _disposeInvoker = options.DisposeHttpClient;
        }
        else
        {
            _invoker = new HttpMessageInvoker(
                options.HttpHandler ?? CreateHandler(),
                disposeHandler: options.HttpHandler is null || options.DisposeHttpClient);
            _disposeInvoker = true;
        }
    }

    internal Uri Address { get; }

    internal bool IsSecure { get; }

    internal int? MaxSendMessageSize { get; }

    internal int? MaxReceiveMessageSize { get; }

    internal bool ThrowOperationCanceledOnCancellation { get; }

    internal TimeProvider TimeProvider { get; }

    internal Version HttpVersion { get; }

    internal HttpVersionPolicy HttpVersionPolicy { get; }

    internal ILogger Logger { get; }

    internal ActiveCalls ActiveCalls => _activeCalls;

    /// <summary>A channel to the address, <c>http://host:port</c> or <c>https://host:port</c>; a path is ignored.</summary>
    public static GrpcChannel ForAddress(string address) => ForAddress(address, new GrpcChannelOptions());

    /// <summary>A channel to the address with options.</summary>
    /// <exception cref="InvalidOperationException">The scheme is neither <c>http</c> nor <c>https</c>, or the credentials do not fit it.</exception>
    public static GrpcChannel ForAddress(string address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        return ForAddress(new Uri(address), channelOptions);
    }

    /// <summary>A channel to the address.</summary>
    public static GrpcChannel ForAddress(Uri address) => ForAddress(address, new GrpcChannelOptions());

    /// <summary>A channel to the address with options.</summary>
    /// <exception cref="InvalidOperationException">The scheme is neither <c>http</c> nor <c>https</c>, or the credentials do not fit it.</exception>
    public static GrpcChannel ForAddress(Uri address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(channelOptions);
        return new GrpcChannel(address, channelOptions);
    }

    /// <inheritdoc />
    public override CallInvoker CreateCallInvoker()
    {
        ObjectDisposedException.ThrowIf(_activeCalls.IsClosed, this);
        return new ChannelCallInvoker(this);
    }

    /// <summary>Cancels the calls under way and closes the connections, unless client or handler were given and are to be kept.</summary>
    public void Dispose()
    {
        if (!_activeCalls.Close())
            return;
        if (_disposeInvoker)
            _invoker.Dispose();
    }

    /// <inheritdoc />
    protected override Task ShutdownAsyncCore()
    {
        Dispose();
        return Task.CompletedTask;
    }

    internal Uri UriOf(IMethod method) => _uris.TryGetValue(method, out var uri) ? uri : _uris.GetOrAdd(method, new Uri(Address, method.FullName));

    internal Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        // A client would otherwise buffer the whole response before it returns.
        _invoker is HttpClient client
            ? client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
            : _invoker.SendAsync(request, cancellationToken);

    /// <remarks>A proxy takes no HTTP/2 without TLS, so one that the environment names for <c>http</c> could only fail the calls.</remarks>
    SocketsHttpHandler CreateHandler() => new() { EnableMultipleHttp2Connections = true, AllowAutoRedirect = false, UseProxy = IsSecure };

    /// <summary>What adds the headers of a call's credentials, the channel's first; null if nothing does.</summary>
    internal List<AsyncAuthInterceptor>? CredentialsOf(CallCredentials? callCredentials)
    {
        if (callCredentials is null)
            return _credentials;
        if (!_callCredentialsAllowed)
        {
            ClientLog.CallCredentialsNotUsed(Logger, Address);
            return _credentials;
        }

        List<AsyncAuthInterceptor> all = [.. _credentials ?? []];
        CallCredentialsReader.Read(callCredentials, all);
        return all;
    }
}
