using System.Globalization;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>The first line and the headers of an answer, and what they say about its body.</summary>
/// <param name="Length">Bytes of the body; null: chunked, or until the connection closes.</param>
internal sealed record Http1Head(int Status, List<KeyValuePair<string, string>> Headers, long? Length, bool Chunked, bool KeepAlive)
{
    /// <exception cref="IOException">It is no HTTP.</exception>
    public static Http1Head Parse(ReadOnlySpan<byte> bytes, string method)
    {
        var line = Line(ref bytes);
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || !int.TryParse(line.Slice(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var status))
            throw new IOException($"malformed HTTP response \"{Encoding.Latin1.GetString(line[..Math.Min(line.Length, 64)])}\"");
        var keepAlive = line[7] == '1';
        var headers = new List<KeyValuePair<string, string>>(12);
        long? length = null;
        var chunked = false;
        StringValues connection = default;
        while (!bytes.IsEmpty)
        {
            line = Line(ref bytes);
            if (line.IsEmpty)
                break;
            var colon = line.IndexOf((byte)':');
            if (colon <= 0)
                throw new IOException($"malformed MIME header line: {Encoding.Latin1.GetString(line)}");
            var name = Name(line[..colon]);
            var value = Encoding.Latin1.GetString(line[(colon + 1)..].Trim(" \t"u8));
            if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            {
                if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var given) || (length is not null && length != given))
                    throw new IOException($"bad Content-Length \"{value}\"");
                length = given;
            }
            else if (name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase))
            {
                chunked = value.EndsWith("chunked", StringComparison.OrdinalIgnoreCase);
            }
            else if (name.Equals("Connection", StringComparison.OrdinalIgnoreCase))
            {
                connection = StringValues.Concat(connection, value);
                if (HopByHop.ListedIn(value, "close"))
                    keepAlive = false;
                else if (HopByHop.ListedIn(value, "keep-alive"))
                    keepAlive = true;
            }
            else if (!HopByHop.Contains(name))
            {
                headers.Add(KeyValuePair.Create(name, value));
            }
        }

        for (var i = headers.Count - 1; i >= 0 && connection.Count > 0; i--)
        {
            if (HopByHop.ListedIn(connection, headers[i].Key))
                headers.RemoveAt(i);
        }

        // An answer without a body may still say how long it would have been (HEAD, 304).
        var none = method == "HEAD" || status is 204 or 304 or < 200;
        if (chunked)
            length = null;
        if (!chunked && length is null && !none)
            keepAlive = false;
        return new Http1Head(status, headers, length, chunked, keepAlive) { HasBody = !none };
    }

    public bool HasBody { get; private init; }

    private static ReadOnlySpan<byte> Line(ref ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)'\n');
        var line = end < 0 ? bytes : bytes[..end];
        bytes = end < 0 ? default : bytes[(end + 1)..];
        return line is [.., (byte)'\r'] ? line[..^1] : line;
    }

    // The names that nearly every answer has are not made anew each time.
    private static string Name(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        4 when Ascii(bytes, "Date"u8) => "Date",
        4 when Ascii(bytes, "ETag"u8) => "ETag",
        6 when Ascii(bytes, "Server"u8) => "Server",
        10 when Ascii(bytes, "Connection"u8) => "Connection",
        10 when Ascii(bytes, "Keep-Alive"u8) => "Keep-Alive",
        12 when Ascii(bytes, "Content-Type"u8) => "Content-Type",
        14 when Ascii(bytes, "Content-Length"u8) => "Content-Length",
        17 when Ascii(bytes, "Transfer-Encoding"u8) => "Transfer-Encoding",
        _ => Encoding.Latin1.GetString(bytes),
    };

    private static bool Ascii(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> name) => System.Text.Ascii.EqualsIgnoreCase(bytes, name);
}

/// <summary>An answer read from its connection as it is needed.</summary>
internal sealed class Http1Response(Http1Connection connection, Http1Head head, Task sending, CancellationTokenSource? stop, CancellationTokenRegistration abort) : UpstreamResponse
{
    private long _left = head.HasBody ? head.Length ?? 0 : 0;
    private bool _ended = !head.HasBody || (!head.Chunked && head.Length == 0);
    private bool _chunkBegun;
    private bool _disposed;

    public override int Status => head.Status;

    public override IReadOnlyList<KeyValuePair<string, string>> Headers => head.Headers;

    public override long? ContentLength => head.Length;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_ended)
            return 0;
        if (head.Chunked && _left == 0 && !await NextChunkAsync().ConfigureAwait(false))
            return 0;
        var bounded = head.Chunked || head.Length is not null;
        if (bounded && buffer.Length > _left)
            buffer = buffer[..(int)_left];
        var read = await connection.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (read == 0)
        {
            if (bounded)
                throw new IOException("unexpected EOF");
            _ended = true;
            return 0;
        }

        if (bounded)
        {
            _left -= read;
            _ended = !head.Chunked && _left == 0;
        }

        return read;
    }

    public override async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await abort.DisposeAsync().ConfigureAwait(false);
        if (_ended && head.KeepAlive && sending.IsCompletedSuccessfully)
        {
            stop?.Dispose();
            connection.Recycle();
            return;
        }

        connection.Dispose();
        if (stop is not null)
            await stop.CancelAsync().ConfigureAwait(false);
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop?.Dispose();
    }

    private async ValueTask<bool> NextChunkAsync()
    {
        if (_chunkBegun && (await connection.ReadLineAsync().ConfigureAwait(false)).Length != 0)
            throw new IOException("malformed chunked encoding");
        _chunkBegun = true;
        var line = await connection.ReadLineAsync().ConfigureAwait(false);
        var extension = line.IndexOf(';', StringComparison.Ordinal);
        if (!long.TryParse((extension < 0 ? line : line[..extension]).AsSpan().Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _left) || _left < 0)
            throw new IOException("invalid byte in chunk length");
        if (_left > 0)
            return true;
        // Trailers are read and dropped, as daprd does.
        while ((await connection.ReadLineAsync().ConfigureAwait(false)).Length > 0)
        {
        }

        _ended = true;
        return false;
    }
}
