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
        await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync().ConfigureAwait(false);
        // Below the stream that Kestrel gives to who upgrades: at a shutdown it ends every read of that stream with an error, and with it the requests under way.
        var input = new Pipe();
        var pump = new Pump(connection.Transport.Input, input.Writer, head);
        try
        {
            await serve(new UpgradedConnection(connection, new DuplexPipe(input.Reader, connection.Transport.Output))).ConfigureAwait(false);
        }
        finally
        {
            await input.Reader.CompleteAsync().ConfigureAwait(false);
            await pump.StopAsync().ConfigureAwait(false);
        }

        return true;
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

    /// <summary>Brings what the client sends to the HTTP/2 connection, and its first request behind its first settings.</summary>
    private sealed class Pump
    {
        private readonly PipeReader _from;
        private readonly PipeWriter _to;
        private readonly byte[] _head;
        private readonly Task _running;
        private volatile bool _stopped;

        public Pump(PipeReader from, PipeWriter to, byte[] head)
        {
            _from = from;
            _to = to;
            _head = head;
            _running = RunAsync();
        }

        /// <summary>Reads no more; what the client may still say is nobody's.</summary>
        public Task StopAsync()
        {
            _stopped = true;
            _from.CancelPendingRead();
            return _running;
        }

        private async Task RunAsync()
        {
            Exception? failure = null;
            try
            {
                await CopyAsync().ConfigureAwait(false);
            }
            catch (Exception e)
            {
                failure = e;
            }

            await _to.CompleteAsync(failure).ConfigureAwait(false);
        }

        private async Task CopyAsync()
        {
            var isFirst = true;
            while (!_stopped)
            {
                // A read that is only cancelled is the server's way to say that it shuts down: the frames of requests under way still come.
                var read = await _from.ReadAsync().ConfigureAwait(false);
                var rest = read.Buffer;
                if (isFirst && StartOf(rest) is { IsEmpty: false } start)
                {
                    Write(start);
                    _to.Write(_head);
                    rest = rest.Slice(start.Length);
                    isFirst = false;
                }

                if (!isFirst)
                    Write(rest);
                _from.AdvanceTo(isFirst ? rest.Start : rest.End, rest.End);
                if ((await _to.FlushAsync().ConfigureAwait(false)).IsCompleted || read.IsCompleted)
                    return;
            }
        }

        // The preface and the client's settings; empty while they are not there in full.
        private static ReadOnlySequence<byte> StartOf(in ReadOnlySequence<byte> bytes)
        {
            const int Least = PrefaceBytes + FrameHeaderBytes;
            if (bytes.Length < Least)
                return default;
            Span<byte> header = stackalloc byte[Least];
            bytes.Slice(0, Least).CopyTo(header);
            var length = (header[PrefaceBytes] << 16) | BinaryPrimitives.ReadUInt16BigEndian(header[(PrefaceBytes + 1)..]);
            if (length > LargestFrame)
                throw new InvalidDataException("the first frame is too large");
            return bytes.Length < Least + length ? default : bytes.Slice(0, Least + length);
        }

        private void Write(in ReadOnlySequence<byte> bytes)
        {
            foreach (var part in bytes)
                _to.Write(part.Span);
        }
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
