using System.IO.Pipelines;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>A request to an app, an endpoint or another sidecar, as it goes over the wire.</summary>
/// <param name="Target">Path and query, percent-encoded, as they are to be sent.</param>
/// <param name="Headers">End-to-end headers; Host and those of the framing are the transport's.</param>
internal sealed record UpstreamRequest(string Method, string Target, List<KeyValuePair<string, StringValues>> Headers, RequestBody Body);

/// <summary>
/// An answer whose body may still be on its way. Dispose it in any case: that gives the connection back, or breaks it off where the answer was not read to its end.
/// </summary>
internal abstract class UpstreamResponse : IAsyncDisposable
{
    public abstract int Status { get; }

    /// <summary>End-to-end headers; hop-by-hop ones, Content-Length and the framing are left out.</summary>
    public abstract IReadOnlyList<KeyValuePair<string, string>> Headers { get; }

    /// <summary>Null where that is not known before the end.</summary>
    public abstract long? ContentLength { get; }

    /// <summary>The next bytes of the body; 0 at its end.</summary>
    public abstract ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();

    public string? Header(string name)
    {
        foreach (var (key, value) in Headers)
        {
            if (string.Equals(key, name, StringComparison.OrdinalIgnoreCase))
                return value;
        }

        return null;
    }

    /// <summary>Passes the body on, each part as it comes.</summary>
    /// <returns>Bytes passed on.</returns>
    public async ValueTask<long> CopyToAsync(PipeWriter writer, CancellationToken cancellationToken)
    {
        long total = 0;
        while (true)
        {
            var memory = writer.GetMemory(4096);
            var read = await ReadAsync(memory, cancellationToken).ConfigureAwait(false);
            if (read == 0)
                return total;
            total += read;
            writer.Advance(read);
            // The last part of a body of known length goes out with the end of the answer.
            if (total == ContentLength)
                return total;
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The whole body. Throws <see cref="BodyTooLargeException"/> when it has more bytes than the limit.</summary>
    public async ValueTask<byte[]> ReadAllAsync(long limit, CancellationToken cancellationToken)
    {
        if (ContentLength is { } length)
        {
            if (length > limit)
                throw new BodyTooLargeException();
            var exact = new byte[length];
            for (var at = 0; at < length;)
            {
                var part = await ReadAsync(exact.AsMemory(at), cancellationToken).ConfigureAwait(false);
                if (part == 0)
                    throw new IOException("unexpected EOF");
                at += part;
            }

            return exact;
        }

        using var all = new MemoryStream();
        var buffer = new byte[4096];
        while (await ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var read)
        {
            if (all.Length + read > limit)
                throw new BodyTooLargeException();
            all.Write(buffer, 0, read);
        }

        return all.ToArray();
    }
}

/// <summary>The way to one address.</summary>
internal abstract class UpstreamTransport : IAsyncDisposable
{
    /// <summary>Sends the request and waits for the headers of the answer; its body and that of the request may still be under way then.</summary>
    /// <exception cref="UpstreamException">There is no answer.</exception>
    /// <exception cref="RequestBodyException">The caller's body cannot be read.</exception>
    public abstract ValueTask<UpstreamResponse> SendAsync(UpstreamRequest request, CancellationToken cancellationToken);

    public abstract ValueTask DisposeAsync();
}

/// <summary>An address does not answer; the message is like Go's, which daprd's users know.</summary>
/// <param name="Connected">False when no connection came about, so that nothing was sent.</param>
internal sealed class UpstreamException(string message, bool connected, Exception? inner = null) : Exception(message, inner)
{
    public bool Connected => connected;
}

/// <summary>Headers that belong to one connection (RFC 9110, 7.6.1) and are not passed on.</summary>
internal static class HopByHop
{
    public static bool Contains(string name) => name.Length switch
    {
        2 => name.Equals("TE", StringComparison.OrdinalIgnoreCase),
        7 => name.Equals("Trailer", StringComparison.OrdinalIgnoreCase) || name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase),
        10 => name.Equals("Connection", StringComparison.OrdinalIgnoreCase) || name.Equals("Keep-Alive", StringComparison.OrdinalIgnoreCase),
        16 => name.Equals("Proxy-Connection", StringComparison.OrdinalIgnoreCase),
        17 => name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase),
        18 => name.Equals("Proxy-Authenticate", StringComparison.OrdinalIgnoreCase),
        19 => name.Equals("Proxy-Authorization", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };

    /// <summary>True for a name that a Connection header lists.</summary>
    public static bool ListedIn(StringValues connection, string name)
    {
        foreach (var value in connection)
        {
            foreach (var part in value.AsSpan().Split(','))
            {
                if (value.AsSpan(part).Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                    return true;
            }
        }

        return false;
    }
}
