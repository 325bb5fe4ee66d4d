using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// A connection to the HTTP API, and what daprd's server allows but Kestrel does not: HTTP/1.1 and cleartext HTTP/2 on one port, <c>%00</c> in the target
/// of a request, a body behind status 205, and headers named in <c>Connection</c> beside <c>close</c>, of which Kestrel tells only the latter. All are settled
/// below Kestrel, on the bytes of the connection.
/// </summary>
internal sealed class ClientConnection : IDuplexPipe
{
    private static ReadOnlySpan<byte> Preface => "PRI"u8;

    private static ReadOnlySpan<byte> EncodedNul => "%00"u8;

    private static ReadOnlySpan<byte> ConnectionHeader => "connection:"u8;

    private const int LongestHead = 64 << 10;
    private readonly Reader _input;
    private readonly Writer _output;
    private readonly List<int> _nuls = [];
    private bool _betweenRequests = true;
    private StringValues _named;

    private ClientConnection(IDuplexPipe transport)
    {
        _input = new Reader(this, transport.Input);
        _output = new Writer(transport.Output);
    }

    public PipeReader Input => _input;

    public PipeWriter Output => _output;

    /// <summary>A status that Kestrel allows a body for, to be set in place of 205 after <see cref="AllowBodyOf205"/>.</summary>
    public static int StandsFor205 => 299;

    /// <summary>What the request's Connection headers say, where they name more than how the connection goes on; otherwise empty.</summary>
    public StringValues Named { get; private set; }

    /// <summary>The values of a request's Connection headers; empty where there are none.</summary>
    public static StringValues NamesOf(HttpContext http)
    {
        var told = http.Request.Headers.Connection;
        return told.Count > 0 && http.Features.Get<ClientConnection>()?.Named is { Count: > 0 } all ? all : told;
    }

    /// <summary>Looks at the first bytes of a connection and hands it to the protocol they are of.</summary>
    public static async Task AcceptAsync(ConnectionContext connection, ConnectionDelegate next, bool allowHttp2)
    {
        // Kestrel does not know of the connection yet, so that a shutdown has to end this wait.
        var ending = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        bool? isHttp2;
        try
        {
            isHttp2 = await IsHttp2Async(connection.Transport.Input, ending).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return;
        }

        if (isHttp2 is null)
            return;
        if (isHttp2.Value)
        {
            if (!allowHttp2)
                return;
            AgreeOnHttp2(connection.Features);
        }
        else
        {
            var client = new ClientConnection(connection.Transport);
            connection.Transport = client;
            connection.Features.Set(client);
        }

        await next(connection).ConfigureAwait(false);
    }

    /// <summary>Kestrel takes HTTP/2 on a port that has HTTP/1.1 as well only by what TLS agreed on.</summary>
    public static void AgreeOnHttp2(IFeatureCollection features)
    {
        var agreed = new Http2Agreed();
        features.Set<ITlsConnectionFeature>(agreed);
        features.Set<ITlsApplicationProtocolFeature>(agreed);
    }

    /// <summary>A request begins; its target is what the client sent.</summary>
    public void Begin(IHttpRequestFeature request)
    {
        _betweenRequests = false;
        Named = _named;
        if (_nuls.Count == 0)
            return;
        var target = request.RawTarget.ToCharArray();
        foreach (var at in _nuls)
        {
            var last = at - request.Method.Length - 1 + EncodedNul.Length - 1;
            if (last < target.Length)
                target[last] = '0';
        }

        request.RawTarget = new string(target);
        _nuls.Clear();
    }

    public void End() => _betweenRequests = true;

    /// <summary>The answer's status goes out as 205; set <see cref="StandsFor205"/>.</summary>
    public void AllowBodyOf205() => _output.Patch = true;

    private static async Task<bool?> IsHttp2Async(PipeReader input, CancellationToken ending)
    {
        while (true)
        {
            var read = await input.ReadAsync(ending).ConfigureAwait(false);
            if (read.Buffer.Length >= Preface.Length)
            {
                var isHttp2 = StartsWithPreface(read);
                input.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
                return isHttp2;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
                return null;
        }

        static bool StartsWithPreface(ReadResult read)
        {
            Span<byte> first = stackalloc byte[Preface.Length];
            var at = 0;
            foreach (var part in read.Buffer)
            {
                var count = Math.Min(part.Length, first.Length - at);
                part.Span[..count].CopyTo(first[at..]);
                at += count;
                if (at == first.Length)
                    break;
            }

            return first.SequenceEqual(Preface);
        }
    }

    private void Inspect(in ReadResult read)
    {
        _named = read.Buffer.IsSingleSegment ? NamedIn(read.Buffer.FirstSpan) : NamedIn(read.Buffer.Slice(0, Math.Min(read.Buffer.Length, LongestHead)).ToArray());
        HideNuls(read);
    }

    private static StringValues NamedIn(ReadOnlySpan<byte> head)
    {
        var named = StringValues.Empty;
        for (var end = head.IndexOf((byte)'\n'); end >= 0; end = head.IndexOf((byte)'\n'))
        {
            var line = head[..end];
            head = head[(end + 1)..];
            if (line.Length <= 1)
                break;
            if ((line[0] | 0x20) == 'c' && line.Length > ConnectionHeader.Length && Ascii.EqualsIgnoreCase(line[..ConnectionHeader.Length], ConnectionHeader) && line.Contains((byte)','))
                named = StringValues.Concat(named, Encoding.Latin1.GetString(line[ConnectionHeader.Length..]));
        }

        return named;
    }

    // Kestrel refuses an encoded NUL; it sees %01 in its place.
    private void HideNuls(in ReadResult read)
    {
        var first = read.Buffer.First;
        var line = first.Span;
        var end = line.IndexOf((byte)'\n');
        if (end >= 0)
            line = line[..end];
        for (var from = 0; ;)
        {
            var found = line[from..].IndexOf(EncodedNul);
            if (found < 0)
                return;
            var at = from + found;
            _nuls.Add(at);
            MemoryMarshal.AsMemory(first).Span[at + 2] = (byte)'1';
            from = at + EncodedNul.Length;
        }
    }

    private sealed class Http2Agreed : ITlsConnectionFeature, ITlsApplicationProtocolFeature
    {
        private static readonly byte[] H2 = "h2"u8.ToArray();

        public X509Certificate2? ClientCertificate { get; set; }

        public ReadOnlyMemory<byte> ApplicationProtocol => H2;

        public Task<X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult<X509Certificate2?>(null);
    }

    private sealed class Reader(ClientConnection owner, PipeReader inner) : PipeReader
    {
        public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (owner._betweenRequests)
                owner.Inspect(read);
            return read;
        }

        public override bool TryRead(out ReadResult result)
        {
            if (!inner.TryRead(out result))
                return false;
            if (owner._betweenRequests)
                owner.Inspect(result);
            return true;
        }
    }

    private sealed class Writer(PipeWriter inner) : PipeWriter
    {
        private Memory<byte> _memory;

        /// <summary>The next status line is to say 205.</summary>
        public bool Patch { get; set; }

        public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

        public override long UnflushedBytes => inner.UnflushedBytes;

        public override void Advance(int bytes)
        {
            if (Patch && _memory.Span[..Math.Min(bytes, _memory.Length)].IndexOf("HTTP/1.1 299"u8) is var at and >= 0)
            {
                "205"u8.CopyTo(_memory.Span[(at + "HTTP/1.1 ".Length)..]);
                Patch = false;
            }

            inner.Advance(bytes);
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _memory = inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => (_memory = inner.GetMemory(sizeHint)).Span;

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) => inner.WriteAsync(source, cancellationToken);
    }
}
