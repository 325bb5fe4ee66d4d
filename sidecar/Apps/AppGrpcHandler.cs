using System.Net;
using DaprPlatform.Sidecar.Observability;

namespace DaprPlatform.Sidecar.Apps;

/// <summary>
/// What every call to a gRPC app goes through, of the sidecar's own services and proxied: the app's API token, a slot of --app-max-concurrency until the answer is
/// read, and the metrics.
/// </summary>
internal sealed class AppGrpcHandler(HttpMessageHandler inner, string? token, SemaphoreSlim? slots, DaprMetrics metrics, TimeProvider time) : DelegatingHandler(inner)
{
    private const string HealthCheck = "/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck";

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (token is not null)
        {
            request.Headers.Remove("dapr-api-token");
            request.Headers.TryAddWithoutValidation("dapr-api-token", token);
        }

        if (slots is null && !metrics.Registry.Enabled)
            return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);

        var call = new Call(request.RequestUri!.AbsolutePath, time.GetTimestamp());
        // A probe must tell a busy app from a dead one.
        if (slots is not null && call.Method != HealthCheck)
            await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
            response.Content = new CountedContent(this, response, response.Content, call);
            return response;
        }
        catch
        {
            End(call, "Unavailable", 0);
            throw;
        }
    }

    private void End(Call call, string status, long received)
    {
        if (Interlocked.Exchange(ref call.Ended, 1) != 0)
            return;
        if (call.Method != HealthCheck)
            slots?.Release();
        var elapsed = time.GetElapsedTime(call.Start).TotalMilliseconds;
        if (call.Method == HealthCheck)
            metrics.Grpc.Probed(status, elapsed);
        else
            metrics.Grpc.Called(call.Method, status, elapsed, 0, received);
    }

    private static string StatusOf(HttpResponseMessage response) =>
        (response.TrailingHeaders.TryGetValues("grpc-status", out var values) || response.Headers.TryGetValues("grpc-status", out values))
        && int.TryParse(values.First(), System.Globalization.CultureInfo.InvariantCulture, out var code)
            ? code switch { 0 => "OK", 1 => "Canceled", _ => ((Grpc.Core.StatusCode)code).ToString() }
            : "Canceled";

    private sealed class Call(string method, long start)
    {
        public int Ended;

        public string Method => method;

        public long Start => start;
    }

    // The call is over when its answer is read to the end or given up.
    private sealed class CountedContent : HttpContent
    {
        private readonly AppGrpcHandler _owner;
        private readonly HttpResponseMessage _response;
        private readonly HttpContent _inner;
        private readonly Call _call;
        private long _received;

        public CountedContent(AppGrpcHandler owner, HttpResponseMessage response, HttpContent inner, Call call)
        {
            (_owner, _response, _inner, _call) = (owner, response, inner, call);
            foreach (var (name, values) in inner.Headers.NonValidated)
                Headers.TryAddWithoutValidation(name, values);
        }

        protected override async Task<Stream> CreateContentReadStreamAsync() => new CountedStream(this, await _inner.ReadAsStreamAsync().ConfigureAwait(false));

        protected override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
            new CountedStream(this, await _inner.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _inner.CopyToAsync(stream, context);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _inner.Dispose();
                End();
            }

            base.Dispose(disposing);
        }

        private void End() => _owner.End(_call, StatusOf(_response), _received);

        private sealed class CountedStream(CountedContent content, Stream inner) : Stream
        {
            public override bool CanRead => true;

            public override bool CanSeek => false;

            public override bool CanWrite => false;

            public override long Length => throw new NotSupportedException();

            public override long Position
            {
                get => throw new NotSupportedException();
                set => throw new NotSupportedException();
            }

            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                var read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                content._received += read;
                if (read == 0 && buffer.Length > 0)
                    content.End();
                return read;
            }

            public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

            public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

            public override void Flush()
            {
            }

            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

            public override void SetLength(long value) => throw new NotSupportedException();

            public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

            protected override void Dispose(bool disposing)
            {
                if (disposing)
                    inner.Dispose();
                base.Dispose(disposing);
            }
        }
    }
}
