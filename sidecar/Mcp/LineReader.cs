using System.Buffers;
using System.IO.Pipelines;
using System.Text;

namespace DaprPlatform.Sidecar.Mcp;

/// <summary>Lines of UTF-8 text, as stdio servers and event streams send them. A line that never ends must not take all memory: it is refused.</summary>
internal sealed class LineReader(Stream stream) : IAsyncDisposable
{
    /// <summary>Bytes of the longest line.</summary>
    public const int LongestLine = 16 << 20;

    private readonly PipeReader _reader = PipeReader.Create(stream);

    /// <summary>The next line without its end; null at the end of the stream.</summary>
    /// <exception cref="McpException">The line is too long.</exception>
    public async ValueTask<string?> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await _reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            var buffer = read.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = Encoding.UTF8.GetString(buffer.Slice(0, end)).TrimEnd('\r');
                _reader.AdvanceTo(buffer.GetPosition(1, end));
                return line;
            }

            if (read.IsCompleted)
            {
                var rest = buffer.Length > 0 ? Encoding.UTF8.GetString(buffer) : null;
                _reader.AdvanceTo(buffer.End);
                return rest;
            }

            if (buffer.Length > LongestLine)
                throw new McpException($"the server sends a message of more than {LongestLine} bytes");
            _reader.AdvanceTo(buffer.Start, buffer.End);
        }
    }

    /// <summary>The next server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html); null at the end of the stream.</summary>
    public async ValueTask<(string Event, string Data)?> ReadEventAsync(CancellationToken cancellationToken)
    {
        var name = "message";
        StringBuilder? data = null;
        while (await ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Length == 0)
            {
                if (data is not null)
                    return (name, data.ToString());
                name = "message";
                continue;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var field = colon < 0 ? line : line[..colon];
            var value = colon < 0 ? "" : line[(colon + 1)..];
            if (value.StartsWith(' '))
                value = value[1..];
            switch (field)
            {
                case "event":
                    name = value;
                    break;
                case "data" when data is null:
                    data = new StringBuilder(value);
                    break;
                case "data":
                    if (data.Length + value.Length > LongestLine)
                        throw new McpException($"the server sends a message of more than {LongestLine} bytes");
                    data.Append('\n').Append(value);
                    break;
            }
        }

        return null;
    }

    public ValueTask DisposeAsync() => _reader.CompleteAsync();
}
