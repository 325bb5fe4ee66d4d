using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>
/// HTTP/1.1 to one address, made for passing requests on: both directions run at the same time (an app may answer while the request is still open), headers and
/// targets go over the wire as they are, and connections are kept. An idle connection that the other side closes is noticed at once.
/// </summary>
/// <param name="tls">Null: no TLS.</param>
/// <param name="maxHeaderBytes">Largest head of an answer.</param>
internal sealed class Http1Transport(string host, int port, SslClientAuthenticationOptions? tls, int maxHeaderBytes, PatientConnect? connect = null) : UpstreamTransport
{
    // Controls, and what ends a line of the head.
    private static readonly SearchValues<char> NotInTarget = SearchValues.Create([.. Enumerable.Range(0, ' ').Append(0x7f).Select(static c => (char)c)]);
    private static readonly SearchValues<char> NotInValue = SearchValues.Create("\r\n\0");

    private readonly PatientConnect _connect = connect ?? new PatientConnect(TimeSpan.Zero, TimeProvider.System);

    private readonly ConcurrentStack<Http1Connection> _idle = new();
    private readonly string _authority = host.Contains(':', StringComparison.Ordinal) && host[0] != '[' ? $"[{host}]:{port}" : $"{host}:{port}";
    private volatile bool _disposed;

    public string Scheme => tls is null ? "http" : "https";

    /// <summary>Value of the Host header unless the request carries one.</summary>
    public string HostHeader { get; init; } = host.Contains(':', StringComparison.Ordinal) && host[0] != '[' ? $"[{host}]:{port}" : $"{host}:{port}";

    public override async ValueTask<UpstreamResponse> SendAsync(UpstreamRequest request, CancellationToken cancellationToken)
    {
        if (Unsendable(request) is { } reason)
            throw new UpstreamException(Describe(request, reason), connected: true);
        while (true)
        {
            var connection = Reuse();
            var reused = connection is not null;
            connection ??= await ConnectAsync(request, cancellationToken).ConfigureAwait(false);
            try
            {
                return await connection.SendAsync(request, cancellationToken).ConfigureAwait(false);
            }
            catch (UpstreamException) when (reused && !connection.Answered && request.Body.CanWrite && !cancellationToken.IsCancellationRequested)
            {
                // The app closed a connection that looked idle just as it was taken: nothing of the request was handled.
            }
        }
    }

    /// <summary>Takes a connection back for the next request.</summary>
    public void Return(Http1Connection connection)
    {
        if (_disposed)
        {
            connection.Dispose();
            return;
        }

        _idle.Push(connection);
        if (_disposed && _idle.TryPop(out var late))
            late.Dispose();
    }

    public string Describe(UpstreamRequest request, string reason)
    {
        var verb = request.Method.Length > 1 ? request.Method[0] + request.Method[1..].ToLowerInvariant() : request.Method;
        return $"{verb} \"{Scheme}://{_authority}{request.Target}\": {reason}";
    }

    public override ValueTask DisposeAsync()
    {
        _disposed = true;
        while (_idle.TryPop(out var connection))
            connection.Dispose();
        return ValueTask.CompletedTask;
    }

    // Targets and headers go out as they are, and callers of the gRPC API may put anything into them: another header, or another request.
    private static string? Unsendable(UpstreamRequest request)
    {
        if (!MetadataHeaders.IsName(request.Method))
            return "net/http: invalid method";
        if (request.Target.AsSpan().ContainsAny(NotInTarget))
            return "net/http: can't write control character in Request.URL";
        foreach (var (name, values) in request.Headers)
        {
            if (!MetadataHeaders.IsName(name))
                return $"net/http: invalid header field name \"{name}\"";
            foreach (var value in values)
            {
                if (value.AsSpan().ContainsAny(NotInValue))
                    return $"net/http: invalid header field value for \"{name}\"";
            }
        }

        return null;
    }

    private Http1Connection? Reuse()
    {
        while (_idle.TryPop(out var connection))
        {
            if (connection.IsUsable)
                return connection;
            connection.Dispose();
        }

        return null;
    }

    private async ValueTask<Http1Connection> ConnectAsync(UpstreamRequest request, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            var address = IPAddress.TryParse(host.Trim('[', ']'), out var ip) ? ip : null;
            socket = await _connect.ConnectAsync(
                (own, token) => address is null ? own.ConnectAsync(host, port, token) : own.ConnectAsync(address, port, token), cancellationToken).ConfigureAwait(false);
            Stream stream = new NetworkStream(socket, ownsSocket: true);
            if (tls is not null)
            {
                var secure = new SslStream(stream);
                await secure.AuthenticateAsClientAsync(tls, cancellationToken).ConfigureAwait(false);
                stream = secure;
            }

            return new Http1Connection(this, stream, socket, maxHeaderBytes);
        }
        catch (SocketException e)
        {
            socket?.Dispose();
            var (address, reason) = e.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => (Loopback(), "connect: connection refused"),
                SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => (host, "no such host"),
                SocketError.TimedOut => (Loopback(), "i/o timeout"),
                _ => (Loopback(), e.Message),
            };
            throw new UpstreamException(Describe(request, $"dial tcp {address}{(reason == "no such host" ? "" : $":{port}")}: {reason}"), connected: false, e);
        }
        catch (Exception e) when (e is System.Security.Authentication.AuthenticationException or IOException)
        {
            socket?.Dispose();
            throw new UpstreamException(Describe(request, TlsFailures.Words(e) ?? e.Message), connected: false, e);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }

        string Loopback() => host == "localhost" ? "127.0.0.1" : host;
    }
}
