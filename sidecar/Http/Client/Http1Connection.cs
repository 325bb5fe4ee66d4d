using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>One connection of an <see cref="Http1Transport"/>; carries one request at a time. Cancelling a request closes it.</summary>
internal sealed class Http1Connection : IDisposable
{
    private const int BufferSize = 8 << 10;
    private readonly Http1Transport _owner;
    private readonly Stream _stream;
    private readonly Socket _socket;
    private readonly int _maxHeaderBytes;
    private readonly RequestStream _request;
    private byte[] _in = new byte[BufferSize];
    private int _start;
    private int _end;
    private Task<int>? _ahead;
    private int _disposed;

    public Http1Connection(Http1Transport owner, Stream stream, Socket socket, int maxHeaderBytes)
    {
        _owner = owner;
        _stream = stream;
        _socket = socket;
        _maxHeaderBytes = maxHeaderBytes;
        _request = new RequestStream(stream);
    }

    /// <summary>Something came back for the request under way.</summary>
    public bool Answered { get; private set; }

    /// <summary>Idle, and the other side has neither closed nor said anything.</summary>
    public bool IsUsable => _ahead is { IsCompleted: false } && Volatile.Read(ref _disposed) == 0;

    public async ValueTask<UpstreamResponse> SendAsync(UpstreamRequest request, CancellationToken cancellationToken)
    {
        Answered = false;
        // Ends the reading of the caller's body; a body in memory needs no end.
        var stop = request.Body is StreamedBody ? new CancellationTokenSource() : null;
        var abort = cancellationToken.UnsafeRegister(static c => ((Http1Connection)c!).Dispose(), this);
        var sending = WriteRequestAsync(request, stop?.Token ?? CancellationToken.None);
        try
        {
            var head = await ReadHeadAsync(request).ConfigureAwait(false);
            return new Http1Response(this, head, sending, stop, abort);
        }
        catch (Exception e)
        {
            Dispose();
            if (stop is not null)
                await stop.CancelAsync().ConfigureAwait(false);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await abort.DisposeAsync().ConfigureAwait(false);
            stop?.Dispose();
            // The caller's own failure tells more than the connection that was closed because of it.
            if (sending.Exception?.InnerException is RequestBodyException body)
                throw body;
            cancellationToken.ThrowIfCancellationRequested();
            if (e is UpstreamException)
                throw;
            throw new UpstreamException(_owner.Describe(request, e is EndOfStreamException ? "EOF" : Reason(e)), connected: true, e);
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        // Closing the socket ends reads and writes that wait; disposing of an SslStream would wait for them.
        _socket.Dispose();
        _ahead?.ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>The request is over, its answer read to the end: the next one may come.</summary>
    public void Recycle()
    {
        if (_start != _end || Volatile.Read(ref _disposed) != 0)
        {
            Dispose();
            return;
        }

        _start = _end = 0;
        if (_in.Length > BufferSize)
            _in = new byte[BufferSize];
        _ahead = _stream.ReadAsync(_in, CancellationToken.None).AsTask();
        _owner.Return(this);
    }

    /// <summary>Bytes of the body that came with the head, then of the connection.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_start == _end)
            return _stream.ReadAsync(buffer, cancellationToken);
        var count = Math.Min(buffer.Length, _end - _start);
        _in.AsMemory(_start, count).CopyTo(buffer);
        _start += count;
        return ValueTask.FromResult(count);
    }

    /// <summary>A line of the chunked framing, without its end.</summary>
    public async ValueTask<string> ReadLineAsync()
    {
        for (var searched = 0; ;)
        {
            var found = _in.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (found >= 0)
            {
                var length = searched + found;
                var line = Encoding.Latin1.GetString(_in, _start, length > 0 && _in[_start + length - 1] == '\r' ? length - 1 : length);
                _start += length + 1;
                return line;
            }

            searched = _end - _start;
            if (searched > BufferSize)
                throw new IOException("malformed chunked encoding");
            await FillAsync().ConfigureAwait(false);
        }
    }

    private static string Reason(Exception e) => e is IOException { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionReset } } ? "read: connection reset by peer" : TlsFailures.Words(e) ?? e.Message;

    private async Task WriteRequestAsync(UpstreamRequest request, CancellationToken cancellationToken)
    {
        var length = request.Body.Length;
        _request.Begin(chunked: length is null);
        _request.Head(request.Method, " ", request.Target, " HTTP/1.1\r\n");
        var host = false;
        foreach (var (name, values) in request.Headers)
        {
            host |= name.Equals("Host", StringComparison.OrdinalIgnoreCase);
            foreach (var value in values)
                _request.Head(name, ": ", value ?? "", "\r\n");
        }

        if (!host)
            _request.Head("Host", ": ", _owner.HostHeader, "\r\n");
        if (length is null)
            _request.Head("Transfer-Encoding", ": ", "chunked", "\r\n");
        else if (length > 0 || request.Method is "POST" or "PUT" or "PATCH")
            _request.Head("Content-Length", ": ", length.Value.ToString(CultureInfo.InvariantCulture), "\r\n");
        _request.Head("\r\n");
        try
        {
            if (length != 0)
                await request.Body.WriteAsync(_request, cancellationToken).ConfigureAwait(false);
            await _request.EndAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (RequestBodyException)
        {
            // The app must not wait for a rest that never comes, nor we for its answer.
            Dispose();
            throw;
        }
    }

    private async ValueTask<Http1Head> ReadHeadAsync(UpstreamRequest request)
    {
        while (true)
        {
            int length;
            while ((length = HeadLength(_in.AsSpan(_start, _end - _start))) < 0)
            {
                if (_end - _start > _maxHeaderBytes)
                    throw TooLarge(request);
                await FillAsync().ConfigureAwait(false);
                Answered = true;
            }

            if (length > _maxHeaderBytes)
                throw TooLarge(request);
            var head = Http1Head.Parse(_in.AsSpan(_start, length), request.Method);
            _start += length;
            // 100 Continue, 103 Early Hints and the like are not passed on.
            if (head.Status is >= 200 or 101)
                return head;
        }
    }

    private UpstreamException TooLarge(UpstreamRequest request) =>
        new(_owner.Describe(request, $"net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded {_maxHeaderBytes} bytes; aborted"), connected: true);

    // Up to and with the empty line; -1: not all there. Lines may end with a bare LF.
    private static int HeadLength(ReadOnlySpan<byte> bytes)
    {
        for (var at = 0; ;)
        {
            var found = bytes[at..].IndexOf((byte)'\n');
            if (found < 0)
                return -1;
            at += found + 1;
            if (at < bytes.Length && bytes[at] == '\n')
                return at + 1;
            if (at + 1 < bytes.Length && bytes[at] == '\r' && bytes[at + 1] == '\n')
                return at + 2;
        }
    }

    private async ValueTask FillAsync()
    {
        if (_ahead is { } ahead)
        {
            _ahead = null;
            var early = await ahead.ConfigureAwait(false);
            if (early == 0)
                throw new EndOfStreamException();
            (_start, _end) = (0, early);
            return;
        }

        if (_start == _end)
            _start = _end = 0;
        if (_end == _in.Length)
        {
            if (_start > 0)
            {
                _in.AsSpan(_start, _end - _start).CopyTo(_in);
                (_start, _end) = (0, _end - _start);
            }
            else
            {
                Array.Resize(ref _in, _in.Length * 2);
            }
        }

        var read = await _stream.ReadAsync(_in.AsMemory(_end)).ConfigureAwait(false);
        if (read == 0)
            throw new EndOfStreamException();
        _end += read;
    }

    /// <summary>Gathers the head and what there is of the body into one write; frames chunks.</summary>
    private sealed class RequestStream(Stream connection) : Stream
    {
        private readonly ArrayBufferWriter<byte> _buffer = new(1024);
        private bool _chunked;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Begin(bool chunked)
        {
            _buffer.ResetWrittenCount();
            _chunked = chunked;
        }

        public void Head(params ReadOnlySpan<string> parts)
        {
            foreach (var part in parts)
                Encoding.Latin1.GetBytes(part, _buffer);
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (buffer.IsEmpty)
                return;
            if (_chunked)
                Head(buffer.Length.ToString("x", CultureInfo.InvariantCulture), "\r\n");
            if (buffer.Length <= BufferSize && _buffer.WrittenCount + buffer.Length <= 2 * BufferSize)
            {
                _buffer.Write(buffer.Span);
            }
            else
            {
                await FlushAsync(cancellationToken).ConfigureAwait(false);
                await connection.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
            }

            if (_chunked)
                Head("\r\n");
        }

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            if (_buffer.WrittenCount == 0)
                return;
            await connection.WriteAsync(_buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
            _buffer.ResetWrittenCount();
        }

        public Task EndAsync(CancellationToken cancellationToken)
        {
            if (_chunked)
                Head("0\r\n\r\n");
            return FlushAsync(cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush() => throw new NotSupportedException();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
