using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace DaprPlatform.Benchmarks;

/// <summary>One connection that sends prepared requests and reads the answers, with as little work of its own as possible: the load should cost less than what is loaded.</summary>
internal sealed class Connection : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[16 << 10];

    public Connection(int port)
    {
        _socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        _socket.Connect(IPAddress.Loopback, port);
    }

    public static byte[] Request(string verb, string path, string body = "") => Encoding.ASCII.GetBytes(body.Length == 0 && verb == "GET"
        ? $"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"
        : $"{verb} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");

    /// <summary>Sends one request and reads its answer, which must have a Content-Length or no body.</summary>
    /// <exception cref="InvalidOperationException">The status is not 2xx.</exception>
    public async Task CallAsync(byte[] request)
    {
        await _socket.SendAsync(request);
        for (var read = 0; ;)
        {
            var count = await _socket.ReceiveAsync(_buffer.AsMemory(read));
            if (count == 0)
                throw new InvalidOperationException("the connection was closed");
            read += count;
            if (IsWhole(_buffer.AsSpan(0, read)))
                return;
        }
    }

    public void Dispose() => _socket.Dispose();

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return false;
        if (answer[9] != (byte)'2')
            throw new InvalidOperationException(Encoding.UTF8.GetString(answer));
        var at = answer[..end].IndexOf("Content-Length: "u8);
        if (at < 0)
            return answer[..end].IndexOf("Transfer-Encoding: chunked"u8) < 0 || answer.EndsWith("0\r\n\r\n"u8);
        var digits = answer[(at + 16)..];
        return answer.Length >= end + 4 + int.Parse(digits[..digits.IndexOf((byte)'\r')], CultureInfo.InvariantCulture);
    }
}
