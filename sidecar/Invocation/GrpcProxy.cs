using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace DaprPlatform.Sidecar.Invocation;

/// <summary>
/// gRPC calls of methods that the sidecar does not know go to the app that the metadata <c>dapr-app-id</c> names, message by message as they are: headers,
/// trailers, status, deadline and cancellation pass through (https://docs.dapr.io/developing-applications/building-blocks/service-invocation/howto-invoke-services-grpc/).
/// </summary>
internal sealed class GrpcProxy(SidecarRuntime runtime)
{
    private const string AppId = "dapr-app-id";
    private const string CalleeId = "dapr-callee-app-id";
    private const string StreamFlag = "dapr-stream";
    private const string CallerId = "dapr-caller-app-id";
    private const string CallerNamespace = "dapr-caller-namespace";
    private const string Proxied = "dapr-internal-proxy";

    /// <summary>A call from the sidecar's own app.</summary>
    public async Task HandleAsync(HttpContext http)
    {
        var headers = http.Request.Headers;
        var path = http.Request.Path.Value ?? "/";
        var id = headers[CalleeId] is { Count: > 0 } callee ? callee.ToString() : headers[AppId].ToString();
        if (path.StartsWith("/dapr.proto.runtime.v1.Dapr/", StringComparison.Ordinal) || path.StartsWith("/TaskHubSidecarService/", StringComparison.Ordinal))
        {
            await FailAsync(http, StatusCode.Unknown, "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found").ConfigureAwait(false);
            return;
        }

        if (id.Length == 0)
        {
            await FailAsync(http, StatusCode.Unknown, "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata").ConfigureAwait(false);
            return;
        }

        var streaming = headers[StreamFlag].ToString().Trim().ToLowerInvariant() is "true" or "t" or "1" or "yes" or "y" or "on";
        headers.Remove(AppId);
        headers.Remove(CalleeId);
        headers.Remove(StreamFlag);
        try
        {
            var appId = Invoker.WithoutNamespace(id);
            var policy = runtime.Resiliency.ForApp(appId, path);
            if (policy.IsDefined)
                await GuardedAsync(http, appId, policy, streaming).ConfigureAwait(false);
            else
                await PassAsync(http, appId).ConfigureAwait(false);
        }
        catch (InvocationException e)
        {
            await FailAsync(http, e.Code == StatusCode.NotFound ? StatusCode.Unknown : e.Code, e.Message).ConfigureAwait(false);
        }
        catch (PolicyException e)
        {
            await FailAsync(http, e.Message == PolicyException.TimedOut ? StatusCode.DeadlineExceeded : StatusCode.Unavailable, e.Message).ConfigureAwait(false);
        }
    }

    /// <summary>A call that another sidecar passes on.</summary>
    public async Task HandleInternalAsync(HttpContext http)
    {
        if (!http.Request.Headers.ContainsKey(Proxied))
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        http.Request.Headers.Remove(Proxied);
        try
        {
            using var call = Receive(http);
            await call.SendAsync(http, http.RequestAborted).ConfigureAwait(false);
            await call.RelayAsync(http).ConfigureAwait(false);
        }
        catch (InvocationException e)
        {
            await FailAsync(http, e.Code, e.Message).ConfigureAwait(false);
        }
    }

    private static Task FailAsync(HttpContext http, StatusCode code, string message)
    {
        if (http.RequestAborted.IsCancellationRequested)
            return Task.CompletedTask;
        return GrpcProtocol.WriteStatus(http, new Status(code, message));
    }

    private async Task PassAsync(HttpContext http, string appId)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var call = Target(http, appId);
            try
            {
                await call.SendAsync(http, http.RequestAborted).ConfigureAwait(false);
            }
            catch (InvocationException e) when (e.InnerException is UpstreamException { Connected: false } && call.IsRemote && runtime.Resiliency.BuiltInServiceRetry.Delay(attempt) is { } pause)
            {
                runtime.Engine.Apps.Suspect(appId);
                if (runtime.Engine.Apps.FindAll(appId).Count < 2)
                    await Task.Delay(pause, runtime.Time, http.RequestAborted).ConfigureAwait(false);
                continue;
            }

            await call.RelayAsync(http).ConfigureAwait(false);
            return;
        }
    }

    // Under a policy the answer of a call that is not marked as streaming is read whole, since its status comes last.
    private async Task GuardedAsync(HttpContext http, string appId, ResiliencyPolicy policy, bool streaming)
    {
        var body = new StreamedBody(http.Request.BodyReader, null, keep: !streaming, runtime.Options.MaxBodySize);
        await using var done = await policy.RunAsync(async token =>
        {
            var call = Target(http, appId, body);
            try
            {
                await call.SendAsync(http, token).ConfigureAwait(false);
                if (!streaming)
                    await call.ReadAsync(token).ConfigureAwait(false);
                return call;
            }
            catch (Exception e)
            {
                await call.DisposeAsync().ConfigureAwait(false);
                if (!body.CanWrite)
                    throw new PermanentException(e);
                throw;
            }
        }, call => (streaming || call.Status == StatusCode.OK ? Verdict.Success : Verdict.Grpc(call.Status)) with { IsFinal = !body.CanWrite }, http.RequestAborted).ConfigureAwait(false);
        await done.RelayAsync(http).ConfigureAwait(false);
    }

    private ProxiedCall Target(HttpContext http, string appId, StreamedBody? body = null)
    {
        if (appId == runtime.Options.AppId)
            return ToApp(runtime, body, null);
        if (runtime.Engine.Apps.Find(appId) is not { } peer)
            throw new InvocationException(StatusCode.NotFound, $"timeout waiting for address for app id {appId}");
        var start = runtime.Time.GetTimestamp();
        runtime.Metrics.Invocation.RequestSent(appId, streaming: true);
        void Answered(StatusCode status) => runtime.Metrics.Invocation.ResponseReceived(appId, (int)status, runtime.Time.GetElapsedTime(start).TotalMilliseconds, streaming: true);
        if (peer.Local is { } sidecar)
        {
            if (!sidecar.Invocation.Invoker.Own.Access.Allows())
                throw Denied(http);
            sidecar.Metrics.Invocation.RequestReceived(runtime.Options.AppId);
            var call = ToApp(sidecar, body, runtime.Self, Answered);
            call.Served = Serve(sidecar, http, Span.Current?.TraceParent ?? http.Request.Headers.TraceParent.ToString());
            return call;
        }

        return new ProxiedCall(runtime, runtime.Engine.Peers.Handler, peer.Address!, body, Answered) { IsRemote = true, Headers = [(Proxied, "1"), (CallerId, runtime.Self.AppId), (CallerNamespace, runtime.Self.Namespace)] };
    }

    private ProxiedCall Receive(HttpContext http)
    {
        if (!runtime.Invocation.Invoker.Own.Access.Allows())
            throw Denied(http);
        runtime.Metrics.Invocation.RequestReceived(http.Request.Headers[CallerId].ToString());
        var call = ToApp(runtime, null, null);
        call.Headers.Add((CalleeId, runtime.Options.AppId));
        call.Served = Serve(runtime, http, http.Request.Headers.TraceParent.ToString());
        return call;
    }

    // The callee's part of a call from another sidecar, below the caller's.
    private static Span? Serve(SidecarRuntime sidecar, HttpContext http, string traceparent)
    {
        var path = http.Request.Path.Value ?? "/";
        TraceContext.TryParse(traceparent, http.Request.Headers["tracestate"].ToString(), out var parent);
        var span = sidecar.Tracing.StartSpan(path, SpanKind.Server, parent, http.Request.Headers["baggage"].ToString());
        if (span is { IsRecording: true })
        {
            span.Set("dapr.api", path);
            span.Set("dapr.protocol", "grpc");
            span.Set("rpc.service", GrpcSpans.ServiceOf(path));
        }

        return span;
    }

    private static InvocationException Denied(HttpContext http) =>
        new(StatusCode.PermissionDenied, $"access control policy has denied access to id:  operation: {http.Request.Path.Value} verb: NONE");

    private static ProxiedCall ToApp(SidecarRuntime sidecar, StreamedBody? body, Caller? caller, Action<StatusCode>? answered = null)
    {
        if (!sidecar.App.IsConfigured)
            throw new InvocationException(StatusCode.Internal, "cannot invoke local endpoint: app channel not initialized");
        if (!sidecar.App.IsHealthy)
            throw new InvocationException(StatusCode.Internal, "app is not in a healthy state");
        if (sidecar.App.GrpcHandler is not { } handler)
            throw new InvocationException(StatusCode.Unknown, $"app {sidecar.Options.AppId} does not speak gRPC");
        var call = new ProxiedCall(sidecar, handler, sidecar.App.BaseAddress!, body, answered);
        if (caller is not null)
            call.Headers.AddRange([(CallerId, caller.AppId), (CallerNamespace, caller.Namespace), (CalleeId, sidecar.Options.AppId)]);
        return call;
    }

    /// <summary>One way of a call to its target and of the answer back.</summary>
    private sealed class ProxiedCall(SidecarRuntime runtime, HttpMessageHandler handler, Uri address, StreamedBody? body, Action<StatusCode>? answered) : IDisposable, IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private ProxyContent? _content;
        private HttpResponseMessage? _response;
        private byte[]? _read;

        public bool IsRemote { get; init; }

        /// <summary>Added to the caller's.</summary>
        public List<(string Name, string Value)> Headers { get; init; } = [];

        /// <summary>The callee's span, where this is its side of the call and tracing is on.</summary>
        public Span? Served { get; set; }

        /// <summary>Known once the answer is read.</summary>
        public StatusCode Status => StatusOf(_response!);

        public async Task SendAsync(HttpContext http, CancellationToken cancellationToken)
        {
            var incoming = http.Request;
            var limit = runtime.Options.MaxBodySize;
            _content = new ProxyContent(incoming.BodyReader, body, limit, _stop.Token);
            using var request = new HttpRequestMessage(HttpMethod.Post, Http2Transport.Target(address, incoming.Path.Value ?? "/"))
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = _content,
            };
            var span = Served ?? Span.Current;
            foreach (var (name, values) in incoming.Headers)
            {
                if (name[0] == ':' || HopByHop.Contains(name) || name.Equals("Host", StringComparison.OrdinalIgnoreCase) || name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)
                    || (span is not null && (name.Equals("traceparent", StringComparison.OrdinalIgnoreCase) || name.Equals("grpc-trace-bin", StringComparison.OrdinalIgnoreCase))))
                    continue;
                if (!request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                    _content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
            }

            request.Headers.TryAddWithoutValidation("te", "trailers");
            if (span is not null)
            {
                request.Headers.TryAddWithoutValidation("traceparent", span.TraceParent);
                request.Headers.TryAddWithoutValidation("grpc-trace-bin", Convert.ToBase64String(span.Context.ToBinary()).TrimEnd('='));
            }

            foreach (var (name, value) in Headers)
                request.Headers.TryAddWithoutValidation(name, value);
            try
            {
                using var invoker = new HttpMessageInvoker(handler, disposeHandler: false);
                _response = await invoker.SendAsync(request, cancellationToken).ConfigureAwait(false);
            }
            catch (HttpRequestException e)
            {
                http.RequestAborted.ThrowIfCancellationRequested();
                var upstream = Http2Transport.Translate(e, "connection error: desc = ", address);
                Served?.Fail(upstream.Message);
                throw _content.TooLarge is { } tooLarge ? new InvocationException(StatusCode.ResourceExhausted, tooLarge) : new InvocationException(StatusCode.Unavailable, upstream.Message, upstream);
            }
        }

        /// <summary>Reads the answer whole.</summary>
        public async Task ReadAsync(CancellationToken cancellationToken) => _read = await _response!.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);

        /// <summary>Passes the answer on.</summary>
        public async Task RelayAsync(HttpContext http)
        {
            var outgoing = http.Response;
            var cancelled = http.RequestAborted;
            outgoing.StatusCode = (int)_response!.StatusCode;
            foreach (var (name, values) in _response.Headers.NonValidated)
            {
                if (!HopByHop.Contains(name))
                    outgoing.Headers[name] = values.ToArray();
            }

            foreach (var (name, values) in _response.Content.Headers.NonValidated)
            {
                if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                    outgoing.Headers[name] = values.ToArray();
            }

            try
            {
                // Not flushed: the messages go out with the trailers behind them, and wake the caller once.
                if (_read is not null)
                    outgoing.BodyWriter.Write(_read);
                else
                    await CopyAsync(outgoing, cancelled).ConfigureAwait(false);
                foreach (var (name, values) in _response.TrailingHeaders.NonValidated)
                    outgoing.AppendTrailer(name, values.ToArray());
                var status = StatusOf(_response);
                if (status != StatusCode.OK)
                    Served?.Fail(MessageOf(_response));
                answered?.Invoke(status);
            }
            catch (Exception e) when (e is HttpRequestException or IOException && !cancelled.IsCancellationRequested)
            {
                answered?.Invoke(StatusCode.Unavailable);
                await (_content!.TooLarge is { } tooLarge ? FailAsync(http, StatusCode.ResourceExhausted, tooLarge) : FailAsync(http, StatusCode.Unavailable, e.Message)).ConfigureAwait(false);
            }
            catch (InvocationException e)
            {
                await FailAsync(http, e.Code, e.Message).ConfigureAwait(false);
            }
            finally
            {
                await StopAsync().ConfigureAwait(false);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await StopAsync().ConfigureAwait(false);
            Dispose();
        }

        public void Dispose()
        {
            Served?.Dispose();
            _response?.Dispose();
            _stop.Dispose();
        }

        // The body of a request must not be read after the request is over.
        private async Task StopAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            if (_content is not null)
                await _content.Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        private async Task CopyAsync(HttpResponse outgoing, CancellationToken cancellationToken)
        {
            // Headers of an answer without messages are its end; they go out together with the trailers then.
            await using var stream = await _response!.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            var frames = new FrameScanner(runtime.Options.MaxBodySize);
            var first = ArrayPool<byte>.Shared.Rent(8 << 10);
            try
            {
                var reading = stream.ReadAsync(first, cancellationToken);
                if (!reading.IsCompleted)
                    await outgoing.StartAsync(cancellationToken).ConfigureAwait(false);
                var read = await reading.ConfigureAwait(false);
                if (read == 0)
                    return;
                frames.Scan(first.AsSpan(0, read));
                first.AsSpan(0, read).CopyTo(outgoing.BodyWriter.GetSpan(read));
                outgoing.BodyWriter.Advance(read);
                await outgoing.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(first);
            }

            while (true)
            {
                var memory = outgoing.BodyWriter.GetMemory(4096);
                var read = await stream.ReadAsync(memory, cancellationToken).ConfigureAwait(false);
                if (read == 0)
                    return;
                frames.Scan(memory.Span[..read]);
                outgoing.BodyWriter.Advance(read);
                await outgoing.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        private static string MessageOf(HttpResponseMessage response) =>
            response.TrailingHeaders.TryGetValues("grpc-message", out var values) || response.Headers.TryGetValues("grpc-message", out values) ? GrpcProtocol.DecodeMessage(values.First()) : "";

        private static StatusCode StatusOf(HttpResponseMessage response) =>
            (response.TrailingHeaders.TryGetValues("grpc-status", out var values) || response.Headers.TryGetValues("grpc-status", out values))
            && int.TryParse(values.First(), CultureInfo.InvariantCulture, out var code) ? (StatusCode)code : StatusCode.Unknown;
    }

    // In the words of gRPC for Go.
    private static InvocationException TooLarge(long size, int limit) => new(StatusCode.ResourceExhausted, $"grpc: received message larger than max ({size} vs. {limit})");

    /// <summary>Follows the frames of a stream of messages and refuses one that is too large.</summary>
    private struct FrameScanner(int limit)
    {
        private int _header;
        private uint _length;
        private long _left;

        public void Scan(ReadOnlySpan<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                if (_left > 0)
                {
                    var skip = (int)Math.Min(_left, bytes.Length);
                    _left -= skip;
                    bytes = bytes[skip..];
                    continue;
                }

                // One byte says whether it is compressed, four how long it is.
                if (_header > 0)
                    _length = (_length << 8) | bytes[0];
                bytes = bytes[1..];
                if (++_header < 5)
                    continue;
                if (_length > limit)
                    throw TooLarge(_length, limit);
                _left = _length;
                (_header, _length) = (0, 0);
            }
        }
    }

    /// <summary>The caller's messages on their way to the target.</summary>
    private sealed class ProxyContent(PipeReader source, StreamedBody? body, int limit, CancellationToken stop) : HttpContent
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _begun;

        /// <summary>Completes when the source is read no more.</summary>
        public Task Ended => _begun ? _ended.Task : Task.CompletedTask;

        /// <summary>What to say of a message that was too large; null: none was.</summary>
        public string? TooLarge { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            _begun = true;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
            try
            {
                if (body is not null)
                    await body.WriteAsync(stream, either.Token).ConfigureAwait(false);
                else
                    await CopyAsync(stream, either.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is InvocationException or RequestBodyException { InnerException: Http.BodyTooLargeException })
            {
                TooLarge = e is InvocationException ? e.Message : GrpcProxy.TooLarge(limit + 1L, limit).Message;
                throw new HttpRequestException(e.Message, e);
            }
            finally
            {
                _ended.TrySetResult();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        private async Task CopyAsync(Stream stream, CancellationToken cancellationToken)
        {
            var frames = new FrameScanner(limit);
            while (true)
            {
                if (!source.TryRead(out var read))
                {
                    await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                    read = await source.ReadAsync(cancellationToken).ConfigureAwait(false);
                }

                foreach (var part in read.Buffer)
                {
                    frames.Scan(part.Span);
                    await stream.WriteAsync(part, cancellationToken).ConfigureAwait(false);
                }

                source.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                    break;
            }

            await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
