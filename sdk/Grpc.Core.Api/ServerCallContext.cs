namespace Grpc.Core;

/// <summary>One call as its handler sees it.</summary>
public abstract class ServerCallContext
{
    Dictionary<object, object>? _userState;

    /// <summary>For transports and test doubles.</summary>
    protected ServerCallContext()
    {
    }

    /// <summary>Sends the response's headers now; otherwise they go with the first message.</summary>
    /// <exception cref="InvalidOperationException">They are sent already.</exception>
    public Task WriteResponseHeadersAsync(Metadata responseHeaders) => WriteResponseHeadersAsyncCore(responseHeaders);

    /// <summary>A token that passes this call's deadline and cancellation on to client calls.</summary>
    public ContextPropagationToken CreatePropagationToken(ContextPropagationOptions? options = null) => CreatePropagationTokenCore(options);

    /// <summary>The request path, <c>/service/method</c>.</summary>
    public string Method => MethodCore;

    /// <summary>The host that the client asked for.</summary>
    public string Host => HostCore;

    /// <summary>Address of the peer as <c>ipv4:address:port</c>, <c>ipv6:[address]:port</c> or <c>unix:path</c>.</summary>
    public string Peer => PeerCore;

    /// <summary>The deadline, UTC; <see cref="DateTime.MaxValue"/> if there is none.</summary>
    public DateTime Deadline => DeadlineCore;

    /// <summary>Headers of the request, without those of the protocol.</summary>
    public Metadata RequestHeaders => RequestHeadersCore;

    /// <summary>Cancelled when the client cancels or goes away, or the deadline passes.</summary>
    public CancellationToken CancellationToken => CancellationTokenCore;

    /// <summary>Trailers to send when the call ends.</summary>
    public Metadata ResponseTrailers => ResponseTrailersCore;

    /// <summary>The status to send if the handler returns.</summary>
    public Status Status
    {
        get => StatusCore;
        set => StatusCore = value;
    }

    /// <summary>Options of the response's messages.</summary>
    public WriteOptions? WriteOptions
    {
        get => WriteOptionsCore;
        set => WriteOptionsCore = value;
    }

    /// <summary>What is known of the peer's identity.</summary>
    public AuthContext AuthContext => AuthContextCore;

    /// <summary>Values that interceptors and handler share during the call.</summary>
    public IDictionary<object, object> UserState => UserStateCore;

    /// <inheritdoc cref="WriteResponseHeadersAsync"/>
    protected abstract Task WriteResponseHeadersAsyncCore(Metadata responseHeaders);

    /// <inheritdoc cref="CreatePropagationToken"/>
    protected abstract ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options);

    /// <inheritdoc cref="Method"/>
    protected abstract string MethodCore { get; }

    /// <inheritdoc cref="Host"/>
    protected abstract string HostCore { get; }

    /// <inheritdoc cref="Peer"/>
    protected abstract string PeerCore { get; }

    /// <inheritdoc cref="Deadline"/>
    protected abstract DateTime DeadlineCore { get; }

    /// <inheritdoc cref="RequestHeaders"/>
    protected abstract Metadata RequestHeadersCore { get; }

    /// <inheritdoc cref="CancellationToken"/>
    protected abstract CancellationToken CancellationTokenCore { get; }

    /// <inheritdoc cref="ResponseTrailers"/>
    protected abstract Metadata ResponseTrailersCore { get; }

    /// <inheritdoc cref="Status"/>
    protected abstract Status StatusCore { get; set; }

    /// <inheritdoc cref="WriteOptions"/>
    protected abstract WriteOptions? WriteOptionsCore { get; set; }

    /// <inheritdoc cref="AuthContext"/>
    protected abstract AuthContext AuthContextCore { get; }

    /// <inheritdoc cref="UserState"/>
    protected virtual IDictionary<object, object> UserStateCore => _userState ??= [];
}
