using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>One call as its handler sees it; most of it is made only when asked for.</summary>
internal sealed class HttpContextServerCallContext(HttpContext httpContext, MethodSettings settings) : ServerCallContext
{
    static readonly AuthContext NotAuthenticated = new(null, []);

    readonly ResponseGate _gate = new();
    Deadline? _deadline;
    Metadata? _requestHeaders;
    Metadata? _responseTrailers;
    AuthContext? _authContext;
    Activity? _activity;
    bool _gzip;
    bool _wrote;
    bool _clientGone;

    public HttpContext HttpContext { get; } = httpContext;

    public MethodSettings Settings { get; } = settings;

    /// <summary>Whether the request's messages may be compressed.</summary>
    public bool RequestIsGzip { get; private set; }

    /// <summary>Whether response messages may still be written.</summary>
    public bool HasEnded => _gate.HasEnded;

    /// <summary>Whether the deadline made the end, so that the handler's outcome only has to wait for it.</summary>
    public bool HasExpired => _gate.HasExpired;

    public bool DeadlinePassed => HasExpired || (_deadline?.HasPassed ?? false);

    /// <summary>Reads what the request's headers say of the call; what they say wrong ends it.</summary>
    /// <exception cref="RpcException">Compressed in an unknown way, or a malformed time limit.</exception>
    public void Begin()
    {
        var request = HttpContext.Request;
        var response = HttpContext.Response;
        response.Headers.ContentType = ResponseHeaders.GrpcContentType;
        _activity = HttpContext.Features.Get<IHttpActivityFeature>()?.Activity;
        _activity?.SetTag("grpc.method", Settings.Method.FullName);

        if (request.Headers.GrpcEncoding is { Count: > 0 } encodings)
        {
            var encoding = encodings.ToString();
            RequestIsGzip = encoding == GrpcNames.Gzip;
            if (!RequestIsGzip && encoding != GrpcNames.Identity)
            {
                response.Headers.GrpcAcceptEncoding = GrpcNames.AcceptedEncodings;
                throw new RpcException(new Status(StatusCode.Unimplemented, $"Unsupported grpc-encoding value '{encoding}'. Supported encodings: {GrpcNames.AcceptedEncodings}"));
            }
        }

        if (Settings.Gzip)
            UseGzip(response);
        if (Settings.LiftBodyLimits)
            LiftBodyLimits();
        if (request.Headers.GrpcTimeout is { Count: > 0 } timeouts)
        {
            if (!GrpcTimeout.TryParse(timeouts.ToString(), out var timeout))
                throw new RpcException(new Status(StatusCode.Internal, $"Malformed grpc-timeout value '{timeouts}'."));
            _deadline = Server.Internal.Deadline.Start(this, _gate, timeout);
        }
    }

    /// <summary>Puts a message into the response's pipe, where it waits for a flush.</summary>
    public void Write<T>(Marshaller<T> marshaller, T message, WriteOptions? options)
    {
        var output = HttpContext.Response.BodyWriter;
        _wrote = true;
        if (_gzip && ((options ?? WriteOptionsCore)?.Flags & WriteFlags.NoCompress) is null or 0)
        {
            var frame = FrameSerializer.Serialize(marshaller, message, Settings.MaxSendMessageSize, Settings.GzipLevel);
            output.Write(frame.Memory.Span);
            frame.Return();
            return;
        }

        try
        {
            PipeSerializer.Serialize(output, marshaller, message, Settings.MaxSendMessageSize);
        }
        catch (InvalidDataException)
        {
            // Half a message is in the pipe: the client must not take the next one for its rest.
            HttpContext.Abort();
            throw;
        }
    }

    /// <summary>Takes the right to write; false if the call has ended.</summary>
    /// <exception cref="InvalidOperationException">Another write is under way.</exception>
    public bool TryBeginWrite() => _gate.TryEnter();

    public void EndWrite() => _gate.Leave();

    /// <summary>Ends a call that went well; with a response unless it has been streamed.</summary>
    public Task EndAsync<TResponse>(Marshaller<TResponse> marshaller, TResponse? response)
        where TResponse : class
    {
        if (!_gate.TryEnd())
            return EndWhenFreeAsync(marshaller, response);
        _deadline?.Stop();
        if (response is not null && StatusCore.StatusCode == StatusCode.OK)
        {
            try
            {
                Write(marshaller, response, null);
            }
            catch (Exception e) when (e is not InvalidDataException)
            {
                SetStatus(e);
                _wrote = HttpContext.Response.HasStarted;
            }
        }

        WriteStatus();
        return Task.CompletedTask;
    }

    /// <summary>Ends a call that an exception came out of.</summary>
    public Task EndAsync(Exception exception)
    {
        if (!_gate.TryEnd())
            return EndWhenFreeAsync(exception);
        _deadline?.Stop();
        SetStatus(exception);
        WriteStatus();
        return Task.CompletedTask;
    }

    /// <summary>Ends the call for its deadline; the gate is ended already.</summary>
    public Task EndForDeadlineAsync(TimeSpan timeout)
    {
        ServerLog.DeadlineExceeded(Settings.Logger, MethodCore, timeout);
        // Without the trailers of the handler, which may be adding to them at this moment.
        ResponseHeaders.WriteStatus(HttpContext.Response, new Status(StatusCode.DeadlineExceeded, "Deadline Exceeded"), null, _wrote, Settings.Logger);
        return HttpContext.Response.CompleteAsync();
    }

    /// <summary>A write that never comes to its end would keep a call from its deadline.</summary>
    public void ResetForDeadline() => HttpContext.Features.Get<IHttpResetFeature>()?.Reset(errorCode: 8);

    /// <summary>What reads and writes of a call throw that ended before its handler did.</summary>
    public OperationCanceledException Ended(Exception? inner = null)
    {
        if (DeadlinePassed)
            return new OperationCanceledException("The deadline of the call has passed.", inner, CancellationTokenCore);
        _clientGone = true;
        return new OperationCanceledException("The call was cancelled by the client.", inner, CancellationTokenCore);
    }

    /// <summary>A client that went away is a cancelled call to the handler, not an error of the connection.</summary>
    public Exception Translate(Exception exception) => exception is IOException and not BadHttpRequestException ? Ended(exception) : exception;

    protected override async Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        ArgumentNullException.ThrowIfNull(responseHeaders);
        if (!TryBeginWrite())
            throw Ended();
        try
        {
            var response = HttpContext.Response;
            if (response.HasStarted)
                throw new InvalidOperationException("Response headers can only be sent once per call.");
            if (responseHeaders.GetValue(GrpcNames.EncodingRequest) is { } encoding)
            {
                if (encoding == GrpcNames.Gzip)
                    UseGzip(response);
                else if (encoding != GrpcNames.Identity)
                    throw new InvalidOperationException($"The response encoding '{encoding}' is not supported; '{GrpcNames.Gzip}' is.");
            }

            ResponseHeaders.Add(response.Headers, responseHeaders, Settings.Logger);
            await response.BodyWriter.FlushAsync();
        }
        finally
        {
            EndWrite();
        }
    }

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options)
    {
        options ??= ContextPropagationOptions.Default;
        return new PropagationToken(options.IsPropagateDeadline ? DeadlineCore : DateTime.MaxValue, options.IsPropagateCancellation ? CancellationTokenCore : CancellationToken.None);
    }

    protected override string MethodCore => Settings.Method.FullName;

    protected override string HostCore => HttpContext.Request.Host.Value ?? "";

    protected override string PeerCore
    {
        get
        {
            var connection = HttpContext.Connection;
            return connection.RemoteIpAddress switch
            {
                { AddressFamily: AddressFamily.InterNetworkV6 } address => $"ipv6:[{address}]:{connection.RemotePort}",
                { } address => $"ipv4:{address}:{connection.RemotePort}",
                null => HttpContext.Features.Get<IConnectionSocketFeature>()?.Socket.LocalEndPoint is UnixDomainSocketEndPoint socket ? $"unix:{socket}" : "unknown",
            };
        }
    }

    protected override DateTime DeadlineCore => _deadline?.Time ?? DateTime.MaxValue;

    protected override Metadata RequestHeadersCore
    {
        get
        {
            if (_requestHeaders is not null)
                return _requestHeaders;
            var metadata = new Metadata();
            foreach (var (name, values) in HttpContext.Request.Headers)
            {
                if (MetadataCoding.IsProtocolHeader(name))
                    continue;
                foreach (var value in values)
                    MetadataCoding.Add(metadata, name, value ?? "");
            }

            return _requestHeaders = metadata;
        }
    }

    protected override CancellationToken CancellationTokenCore => _deadline?.Token ?? HttpContext.RequestAborted;

    protected override Metadata ResponseTrailersCore => _responseTrailers ??= [];

    protected override Status StatusCore { get; set; } = Status.DefaultSuccess;

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => _authContext ??= HttpContext.Connection.ClientCertificate is { } certificate ? Authenticated(certificate) : NotAuthenticated;

    async Task EndWhenFreeAsync<TResponse>(Marshaller<TResponse> marshaller, TResponse? response)
        where TResponse : class
    {
        if (await BecomeFreeAsync())
            await EndAsync(marshaller, response);
    }

    async Task EndWhenFreeAsync(Exception exception)
    {
        if (await BecomeFreeAsync())
            await EndAsync(exception);
    }

    /// <summary>Waits for a write that the handler did not await, or for the end that the deadline has made; false if it was that.</summary>
    async Task<bool> BecomeFreeAsync()
    {
        if (_deadline is not null && HasExpired)
        {
            await _deadline.Ended;
            return false;
        }

        await _gate.FreeAsync();
        return true;
    }

    void SetStatus(Exception exception)
    {
        switch (exception)
        {
            case OperationCanceledException when DeadlinePassed:
                StatusCore = new Status(StatusCode.DeadlineExceeded, "Deadline Exceeded");
                break;
            case RpcException rpc:
                ServerLog.StatusRaised(Settings.Logger, rpc.StatusCode, rpc.Status.Detail, MethodCore, rpc.Status.DebugException);
                StatusCore = rpc.Status;
                foreach (var entry in rpc.Trailers)
                    ResponseTrailersCore.Add(entry);
                break;
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } tooLarge:
                ServerLog.StatusRaised(Settings.Logger, StatusCode.ResourceExhausted, tooLarge.Message, MethodCore, tooLarge);
                StatusCore = new Status(StatusCode.ResourceExhausted, tooLarge.Message);
                break;
            case OperationCanceledException or IOException when _clientGone || HttpContext.RequestAborted.IsCancellationRequested:
                ServerLog.Cancelled(Settings.Logger, MethodCore, exception);
                StatusCore = new Status(StatusCode.Cancelled, "The call was cancelled by the client.");
                break;
            default:
                ServerLog.HandlerFailed(Settings.Logger, exception, MethodCore);
                StatusCore = new Status(StatusCode.Unknown, Settings.EnableDetailedErrors
                    ? "Exception was thrown by handler. " + Describe(exception)
                    : "Exception was thrown by handler.");
                break;
        }
    }

    void WriteStatus()
    {
        var status = StatusCore;
        _activity?.SetTag("grpc.status_code", (int)status.StatusCode);
        if (status.StatusCode == StatusCode.OK && _responseTrailers is null && string.IsNullOrEmpty(status.Detail))
            ResponseHeaders.WriteSuccess(HttpContext.Response);
        else
            // A call that went well has a body even when nothing was streamed: some clients want trailers then.
            ResponseHeaders.WriteStatus(HttpContext.Response, status, _responseTrailers, _wrote || status.StatusCode == StatusCode.OK, Settings.Logger);
    }

    void UseGzip(HttpResponse response)
    {
        var accepted = HttpContext.Request.Headers.GrpcAcceptEncoding.ToString();
        foreach (var encoding in accepted.AsSpan().Split(','))
        {
            if (!accepted.AsSpan(encoding).Trim().SequenceEqual(GrpcNames.Gzip))
                continue;
            _gzip = true;
            response.Headers.GrpcEncoding = GrpcNames.Gzip;
            return;
        }
    }

    void LiftBodyLimits()
    {
        // Streams may be quiet for as long as they like, and messages have a limit of their own.
        if (HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (Settings.Method.Type is MethodType.ClientStreaming or MethodType.DuplexStreaming
            && HttpContext.Features.Get<Microsoft.AspNetCore.Server.Kestrel.Core.Features.IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    static string Describe(Exception exception)
    {
        var text = $"{exception.GetType().Name}: {exception.Message}";
        for (var inner = exception.InnerException; inner is not null; inner = inner.InnerException)
            text += $" {inner.GetType().Name}: {inner.Message}";
        return text;
    }

    static AuthContext Authenticated(X509Certificate2 certificate)
    {
        var properties = new Dictionary<string, List<AuthProperty>>(StringComparer.Ordinal);
        Add("x509_subject_alternative_name", certificate.GetNameInfo(X509NameType.DnsFromAlternativeName, false));
        Add("x509_common_name", certificate.GetNameInfo(X509NameType.SimpleName, false));
        var identity = properties.ContainsKey("x509_subject_alternative_name") ? "x509_subject_alternative_name" : properties.Keys.FirstOrDefault();
        return new AuthContext(identity, properties);

        void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
                properties[name] = [AuthProperty.Create(name, System.Text.Encoding.UTF8.GetBytes(value))];
        }
    }

    sealed class PropagationToken(DateTime deadline, CancellationToken cancellationToken) : ContextPropagationToken
    {
        internal override DateTime Deadline { get; } = deadline;

        internal override CancellationToken CancellationToken { get; } = cancellationToken;
    }
}
