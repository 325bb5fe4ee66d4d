using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// One call, without its message types: its cancellation, deadline and outcome. It ends once, with the first status that
/// anyone comes to: the server's, the deadline's, the caller's or the transport's.
/// </summary>
internal abstract class GrpcCall : IDisposable
{
    static readonly Action<object?> CancelByToken = static call => ((GrpcCall)call!).Cancel("Call canceled by the client.", ((GrpcCall)call).Options.CancellationToken);

    readonly Lock _gate = new();
    readonly CancellationTokenSource _abort = new();
    readonly DateTime _deadline;
    CancellationTokenRegistration _tokenRegistration;
    CancellationTokenRegistration _propagatedRegistration;
    ITimer? _deadlineTimer;
    HttpResponseMessage? _response;
    TaskCompletionSource<Metadata>? _headers;
    CancellationToken _cancelledBy;
    Metadata? _trailers;
    HttpHeaders? _trailingHeaders;
    Status _status;
    volatile bool _finished;

    protected GrpcCall(GrpcChannel channel, IMethod method, string? host, CallOptions options)
    {
        Channel = channel;
        Method = method;
        Host = host;
        Options = options;
        _deadline = options.Deadline is { } deadline ? ToUtc(deadline) : DateTime.MaxValue;
        if (options.PropagationToken is { } token && token.Deadline < _deadline)
            _deadline = token.Deadline;
    }

    // The links of ActiveCalls.
    internal GrpcCall? Previous, Next;
    internal ActiveCalls.Stripe? Stripe;

    protected GrpcChannel Channel { get; }

    protected IMethod Method { get; }

    protected string? Host { get; }

    protected CallOptions Options { get; }

    protected CancellationToken Aborted => _abort.Token;

    protected bool IsFinished => _finished;

    /// <summary>How the response's messages may be compressed; known once the response is accepted.</summary>
    protected bool ResponseIsGzip { get; private set; }

    protected abstract HttpContent Content { get; }

    public void Dispose() => Cancel("gRPC call disposed.", default);

    public Status GetStatus() => _finished ? _status : throw new InvalidOperationException("Unable to get the status because the call is not complete.");

    public Metadata GetTrailers()
    {
        if (!_finished)
            throw new InvalidOperationException("Can't get the call trailers because the call has not completed successfully.");
        lock (_gate)
            return _trailers ??= _trailingHeaders is null ? new Metadata() : ReadMetadata(_trailingHeaders);
    }

    public Task<Metadata> GetResponseHeadersAsync()
    {
        lock (_gate)
        {
            if (_headers is null)
            {
                _headers = new(TaskCreationOptions.RunContinuationsAsynchronously);
                if (_response is not null)
                    _headers.SetResult(ReadMetadata(_response.Headers));
                else if (_finished)
                    FailHeaders();
            }

            return _headers.Task;
        }
    }

    /// <summary>Starts deadline and cancellation. The call may have ended when this returns.</summary>
    protected void Begin()
    {
        Channel.ActiveCalls.Enter(this);
        if (Options.CancellationToken.CanBeCanceled)
            _tokenRegistration = Options.CancellationToken.UnsafeRegister(CancelByToken, this);
        if (Options.PropagationToken is { CancellationToken.CanBeCanceled: true } token)
            _propagatedRegistration = token.CancellationToken.UnsafeRegister(CancelByToken, this);
        if (_deadline != DateTime.MaxValue && !_finished)
            StartDeadline();
        if (_finished)
            Detach();
    }

    /// <summary>Sends the request; the response is there when its headers are.</summary>
    protected Task<HttpResponseMessage> SendAsync()
    {
        var credentials = Channel.CredentialsOf(Options.Credentials);
        return credentials is null && !Options.IsWaitForReady ? Channel.SendAsync(CreateRequest(null), _abort.Token) : SendSlowAsync(credentials);
    }

    /// <summary>Takes the response over; false if the call has ended, be it by what the response says.</summary>
    protected bool Accept(HttpResponseMessage response)
    {
        lock (_gate)
        {
            if (_finished)
            {
                response.Dispose();
                return false;
            }

            _response = response;
            _headers?.TrySetResult(ReadMetadata(response.Headers));
        }

        if (ReadStatus(response.Headers) is { } status)
        {
            Finish(status, response.Headers);
            return false;
        }

        if (response.StatusCode != System.Net.HttpStatusCode.OK)
        {
            Finish(new Status(FailureCodes.CodeOf(response.StatusCode), $"Bad gRPC response. HTTP status code: {(int)response.StatusCode}"), response.Headers);
            return false;
        }

        var contentType = response.Content.Headers.NonValidated.TryGetValues("Content-Type", out var contentTypes) ? contentTypes.ToString() : null;
        if (!GrpcNames.IsGrpcContentType(contentType))
        {
            Finish(new Status(StatusCode.Unknown, contentType is null
                ? "Bad gRPC response. Response did not have a content-type header."
                : $"Bad gRPC response. Invalid content-type value: {contentType}"), response.Headers);
            return false;
        }

        if (response.Headers.NonValidated.TryGetValues(GrpcNames.Encoding, out var encodings))
        {
            var encoding = encodings.ToString();
            ResponseIsGzip = encoding == GrpcNames.Gzip;
            if (!ResponseIsGzip && encoding != GrpcNames.Identity)
            {
                Finish(new Status(StatusCode.Unimplemented, $"Unsupported grpc-encoding value '{encoding}'. Supported encodings: {GrpcNames.AcceptedEncodings}"), response.Headers);
                return false;
            }
        }

        return true;
    }

    /// <summary>Ends the call with what the trailers say, once the response has been read to its end.</summary>
    protected void FinishWithTrailers(HttpResponseMessage response) =>
        Finish(ReadStatus(response.TrailingHeaders) ?? new Status(StatusCode.Unknown, "No grpc-status found on response."), response.TrailingHeaders);

    /// <summary>Ends the call because of a failure; trailers that came all the same say more than the failure.</summary>
    protected void FinishWithFailure(string doing, Exception exception)
    {
        if (_finished)
            return;
        if (_response is { } response && ReadStatus(response.TrailingHeaders) is { } status && status.StatusCode != StatusCode.OK)
            Finish(status, response.TrailingHeaders);
        else if (exception is RpcException rpcException)
            Finish(rpcException.Status, null);
        else if (exception is InvalidDataException)
            Finish(new Status(StatusCode.Internal, exception.Message, exception), null);
        else
            Finish(FailureCodes.ToStatus(doing, exception), null);
    }

    /// <summary>Ends the call with the status unless it has ended already. Whatever is still under way below is torn down.</summary>
    protected void Finish(Status status, HttpHeaders? trailers, CancellationToken cancelledBy = default)
    {
        HttpResponseMessage? response;
        lock (_gate)
        {
            if (_finished)
                return;
            _status = status;
            _trailingHeaders = trailers;
            _cancelledBy = cancelledBy;
            response = _response;
            _finished = true;
            if (response is null)
                FailHeaders();
        }

        Detach();
        if (status.StatusCode != StatusCode.OK)
            ClientLog.CallFailed(Channel.Logger, status.DebugException, Method.FullName, status.StatusCode, status.Detail);

        // With trailers the response was read to its end; otherwise this resets the stream.
        var requests = Content as StreamingContent;
        if (trailers is null)
        {
            requests?.Abort();
            _abort.Cancel();
        }

        requests?.Close();
        response?.Dispose();
    }

    protected void Cancel(string detail, CancellationToken cancelledBy)
    {
        if (!_finished)
            Finish(new Status(StatusCode.Cancelled, detail), null, cancelledBy);
    }

    /// <summary>Registers a token of a single read or write; cancelling it cancels the call.</summary>
    protected CancellationTokenRegistration CancelWith(CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? cancellationToken.UnsafeRegister(static (call, token) => ((GrpcCall)call!).Cancel("Call canceled by the client.", token), this)
        : default;

    /// <summary>What the caller of an ended call gets.</summary>
    protected Exception Failure()
    {
        var exception = new RpcException(_status, GetTrailers());
        return Channel.ThrowOperationCanceledOnCancellation && _trailingHeaders is null && _status.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded
            ? new OperationCanceledException(_status.Detail, exception, _cancelledBy)
            : exception;
    }

    void FailHeaders()
    {
        if (_headers is null)
            return;
        _headers.TrySetException(Failure());
        _ = _headers.Task.Exception;
    }

    void Detach()
    {
        _tokenRegistration.Unregister();
        _propagatedRegistration.Unregister();
        _deadlineTimer?.Dispose();
        ActiveCalls.Leave(this);
    }

    void StartDeadline()
    {
        var remaining = _deadline - Channel.TimeProvider.GetUtcNow().UtcDateTime;
        if (remaining <= TimeSpan.Zero)
        {
            DeadlineExceeded();
            return;
        }

        _deadlineTimer = Channel.TimeProvider.CreateTimer(static call => ((GrpcCall)call!).OnDeadlineTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _deadlineTimer.Change(DueTime(remaining), Timeout.InfiniteTimeSpan);
    }

    void OnDeadlineTimer()
    {
        // A timer may be early, and its longest time is shorter than the longest deadline.
        var remaining = _deadline - Channel.TimeProvider.GetUtcNow().UtcDateTime;
        if (remaining <= TimeSpan.Zero)
            DeadlineExceeded();
        else if (!_finished)
            _deadlineTimer?.Change(DueTime(remaining), Timeout.InfiniteTimeSpan);
    }

    void DeadlineExceeded() => Finish(new Status(StatusCode.DeadlineExceeded, ""), null);

    static TimeSpan DueTime(TimeSpan remaining) => TimeSpan.FromMilliseconds(Math.Min(Math.Ceiling(remaining.TotalMilliseconds), int.MaxValue));

    static DateTime ToUtc(DateTime deadline)
    {
        if (deadline == DateTime.MaxValue || deadline == DateTime.MinValue)
            return deadline;
        return deadline.Kind == DateTimeKind.Utc
            ? deadline
            : throw new InvalidOperationException("Deadline must have a kind DateTimeKind.Utc or be equal to DateTime.MaxValue or DateTime.MinValue.");
    }

    async Task<HttpResponseMessage> SendSlowAsync(List<AsyncAuthInterceptor>? credentials)
    {
        var backOff = TimeSpan.FromMilliseconds(100);
        while (true)
        {
            Metadata? added = null;
            if (credentials is not null)
            {
                added = new Metadata();
                var context = new AuthInterceptorContext($"{Channel.Address.GetLeftPart(UriPartial.Authority)}/{Method.ServiceName}", Method.Name, _abort.Token);
                foreach (var interceptor in credentials)
                    await interceptor(context, added).ConfigureAwait(false);
            }

            try
            {
                return await Channel.SendAsync(CreateRequest(added), _abort.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (Options.IsWaitForReady && !_finished && FailureCodes.IsConnectFailure(e))
            {
                ClientLog.CallFailed(Channel.Logger, e, Method.FullName, StatusCode.Unavailable, "Waiting for the server.");
            }

            await Task.Delay(backOff, Channel.TimeProvider, _abort.Token).ConfigureAwait(false);
            backOff = TimeSpan.FromTicks(Math.Min(backOff.Ticks * 2, TimeSpan.FromSeconds(20).Ticks));
        }
    }

    HttpRequestMessage CreateRequest(Metadata? credentials)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, Channel.UriOf(Method))
        {
            Version = Channel.HttpVersion,
            VersionPolicy = Channel.HttpVersionPolicy,
            Content = Content,
        };
        var headers = request.Headers;
        headers.TryAddWithoutValidation(GrpcNames.Te, GrpcNames.Trailers);
        headers.TryAddWithoutValidation(GrpcNames.AcceptEncoding, GrpcNames.AcceptedEncodings);
        if (Host is not null)
            headers.Host = Host;
        if (_deadline != DateTime.MaxValue)
            headers.TryAddWithoutValidation(GrpcNames.Timeout, GrpcTimeout.Format(_deadline - Channel.TimeProvider.GetUtcNow().UtcDateTime));
        if (RequestIsGzip(Options))
            headers.TryAddWithoutValidation(GrpcNames.Encoding, GrpcNames.Gzip);
        if (Options.Headers is { Count: > 0 } own)
            AddMetadata(headers, own);
        if (credentials is not null)
            AddMetadata(headers, credentials);
        if (!headers.NonValidated.Contains(GrpcNames.UserAgent))
            headers.TryAddWithoutValidation(GrpcNames.UserAgent, UserAgent.Value);
        return request;
    }

    /// <exception cref="RpcException">Another encoding is asked for than there is.</exception>
    protected static bool RequestIsGzip(in CallOptions options)
    {
        if (options.Headers is not { Count: > 0 } headers || headers.GetValue(GrpcNames.EncodingRequest) is not { } encoding || encoding == GrpcNames.Identity)
            return false;
        return encoding == GrpcNames.Gzip
            ? true
            : throw new RpcException(new Status(StatusCode.Internal, $"Could not find compression provider for '{encoding}'."));
    }

    static void AddMetadata(HttpRequestHeaders headers, Metadata metadata)
    {
        foreach (var entry in metadata)
        {
            if (!MetadataCoding.IsProtocolHeader(entry.Key))
                headers.TryAddWithoutValidation(entry.Key, MetadataCoding.Encode(entry));
        }
    }

    static Status? ReadStatus(HttpHeaders headers)
    {
        if (!headers.NonValidated.TryGetValues(GrpcNames.Status, out var values))
            return null;
        var code = int.TryParse(values.ToString(), out var number) && number is >= 0 and <= 16 ? (StatusCode)number : StatusCode.Unknown;
        var message = headers.NonValidated.TryGetValues(GrpcNames.Message, out var messages) ? PercentCoding.Decode(messages.ToString()) : "";
        return new Status(code, message);
    }

    static Metadata ReadMetadata(HttpHeaders headers)
    {
        var metadata = new Metadata();
        foreach (var (name, values) in headers.NonValidated)
        {
            if (MetadataCoding.IsProtocolHeader(name))
                continue;
            foreach (var value in values)
                MetadataCoding.Add(metadata, name, value);
        }

        return metadata;
    }
}
