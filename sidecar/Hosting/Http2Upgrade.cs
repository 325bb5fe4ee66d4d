using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using DaprPlatform.Sidecar.Http.Client;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Hosting;

/// <summary>
/// The way from HTTP/1.1 to cleartext HTTP/2 by <c>Upgrade: h2c</c> (RFC 7540, 3.2), which daprd's server goes and Kestrel does not. The connection is handed to
/// Kestrel's HTTP/2 once more, and what the client asked over HTTP/1.1 is put behind its first settings as stream 1, where it is answered.
/// </summary>
internal static class Http2Upgrade
{
    private const string Protocol = "h2c";
    private const string Settings = "HTTP2-Settings";
    private const int PrefaceBytes = 24;
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(1);
    private const int FrameHeaderBytes = 9;

    // What every HTTP/2 endpoint takes without being told.
    private const int LargestFrame = 16 << 10;

    /// <summary>Whether the client offers it, and the request is one that can cross: without a body, and with a head that fits a frame.</summary>
    public static bool IsOffered(HttpContext http)
    {
        var upgrade = http.Request.Headers.Upgrade;
        if (upgrade.Count == 0 || !HopByHop.ListedIn(upgrade, Protocol) || http.Request.Headers[Settings].Count != 1 || !HopByHop.ListedIn(ClientConnection.NamesOf(http), Settings))
            return false;
        return http.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest == true && http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody != true;
    }

    /// <summary>Switches over and serves the connection until it ends. False: the request cannot cross, and is answered over HTTP/1.1.</summary>
    /// <param name="serve">Serves a connection as the listener does.</param>
    public static async Task<bool> TryRunAsync(HttpContext http, ConnectionContext connection, ConnectionDelegate serve)
    {
        var head = Head(http);
        if (head.Length > LargestFrame + FrameHeaderBytes)
            return false;
        http.Response.Headers.Upgrade = Protocol;
        var stream = await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync().ConfigureAwait(false);
        var input = new Pipe();
        var upgraded = new UpgradedConnection(connection, new DuplexPipe(input.Reader, PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true))));
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        var pump = PumpAsync(stream, input.Writer, head);
        var serving = serve(upgraded);
        try
        {
            // The server shuts down: what is under way has a moment, what only stays open has none.
            await serving.WaitAsync(closing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await serving.WaitAsync(Farewell).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!serving.IsCompleted)
                connection.Abort();
            await serving.ConfigureAwait(false);
        }
        finally
        {
            await input.Reader.CompleteAsync().ConfigureAwait(false);
            // The reading side waits for a client that has nothing more to say.
            connection.Transport.Input.CancelPendingRead();
            if (!pump.IsCompleted)
                await pump.WaitAsync(Farewell).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!pump.IsCompleted)
                connection.Abort();
            await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return true;
    }

    private static async Task PumpAsync(Stream from, PipeWriter to, byte[] head)
    {
        Exception? failure = null;
        try
        {
            var start = new byte[PrefaceBytes + FrameHeaderBytes];
            await from.ReadExactlyAsync(start).ConfigureAwait(false);
            await to.WriteAsync(start).ConfigureAwait(false);
            var settings = new byte[(start[PrefaceBytes] << 16) | BinaryPrimitives.ReadUInt16BigEndian(start.AsSpan(PrefaceBytes + 1))];
            if (settings.Length > LargestFrame)
                throw new InvalidDataException("the first frame is too large");
            await from.ReadExactlyAsync(settings).ConfigureAwait(false);
            await to.WriteAsync(settings).ConfigureAwait(false);
            await to.WriteAsync(head).ConfigureAwait(false);
            await from.CopyToAsync(to).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            failure = e is EndOfStreamException ? null : e;
        }

        await to.CompleteAsync(failure).ConfigureAwait(false);
    }

    // The request as a HEADERS frame of stream 1 that ends both the head and the stream; each field a literal that is not indexed (RFC 7541, 6.2.2).
    private static byte[] Head(HttpContext http)
    {
        var frame = new ArrayBufferWriter<byte>(1024);
        frame.Write((ReadOnlySpan<byte>)[0, 0, 0, 1, 0x5, 0, 0, 0, 1]);
        var request = http.Request;
        Field(":method", request.Method);
        Field(":scheme", "http");
        Field(":authority", request.Headers.Host.ToString());
        Field(":path", http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var named = ClientConnection.NamesOf(http);
        foreach (var (name, values) in request.Headers)
        {
            if (name.Equals("Host", StringComparison.OrdinalIgnoreCase) || name.Equals(Settings, StringComparison.OrdinalIgnoreCase) || HopByHop.Contains(name) || HopByHop.ListedIn(named, name))
                continue;
            foreach (var value in values)
                Field(name.ToLowerInvariant(), value ?? "");
        }

        var bytes = frame.WrittenSpan.ToArray();
        var length = bytes.Length - FrameHeaderBytes;
        (bytes[0], bytes[1], bytes[2]) = ((byte)(length >> 16), (byte)(length >> 8), (byte)length);
        return bytes;

        void Field(string name, string value)
        {
            Byte(0);
            Text(name);
            Text(value);
        }

        void Text(string text)
        {
            var bytes = Encoding.Latin1.GetBytes(text);
            if (bytes.Length < 127)
            {
                Byte(bytes.Length);
            }
            else
            {
                Byte(127);
                var rest = bytes.Length - 127;
                for (; rest >= 128; rest >>= 7)
                    Byte((rest & 0x7f) | 0x80);
                Byte(rest);
            }

            frame.Write(bytes);
        }

        void Byte(int value) => frame.Write((ReadOnlySpan<byte>)[(byte)value]);
    }

    private sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class UpgradedConnection : ConnectionContext
    {
        private readonly ConnectionContext _under;

        public UpgradedConnection(ConnectionContext under, IDuplexPipe transport)
        {
            _under = under;
            ConnectionId = under.ConnectionId;
            Items = under.Items;
            Transport = transport;
            Features = new FeatureCollection();
            foreach (var (type, feature) in under.Features)
            {
                // What watches over HTTP/1.1 has no business with frames.
                if (type != typeof(ClientConnection))
                    Features[type] = feature;
            }

            ClientConnection.AgreeOnHttp2(Features);
        }

        public override string ConnectionId { get; set; }

        public override IFeatureCollection Features { get; }

        public override IDictionary<object, object?> Items { get; set; }

        public override IDuplexPipe Transport { get; set; }

        public override CancellationToken ConnectionClosed
        {
            get => _under.ConnectionClosed;
            set => _under.ConnectionClosed = value;
        }

        public override EndPoint? LocalEndPoint
        {
            get => _under.LocalEndPoint;
            set => _under.LocalEndPoint = value;
        }

        public override EndPoint? RemoteEndPoint
        {
            get => _under.RemoteEndPoint;
            set => _under.RemoteEndPoint = value;
        }

        public override void Abort(ConnectionAbortedException abortReason) => _under.Abort(abortReason);
    }
}
