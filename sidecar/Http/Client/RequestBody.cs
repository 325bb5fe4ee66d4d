using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace DaprPlatform.Sidecar.Http.Client;

/// <summary>The body of a request that is passed on: written once for each attempt.</summary>
internal abstract class RequestBody
{
    public static RequestBody Empty { get; } = new Bytes(ReadOnlyMemory<byte>.Empty);

    /// <summary>Bytes; null where that is not known before the end.</summary>
    public abstract long? Length { get; }

    /// <summary>False once it has been written and cannot be written again.</summary>
    public abstract bool CanWrite { get; }

    /// <summary>Writes the whole body, each part as soon as it is there. A failure of the source is a <see cref="RequestBodyException"/>.</summary>
    public abstract ValueTask WriteAsync(Stream to, CancellationToken cancellationToken);

    /// <summary>The whole body in one piece.</summary>
    public abstract ValueTask<ReadOnlyMemory<byte>> ReadAllAsync(CancellationToken cancellationToken);

    /// <summary>A body that is in memory.</summary>
    public static RequestBody Of(ReadOnlyMemory<byte> bytes) => bytes.IsEmpty ? Empty : new Bytes(bytes);

    private sealed class Bytes(ReadOnlyMemory<byte> bytes) : RequestBody
    {
        public override long? Length => bytes.Length;

        public override bool CanWrite => true;

        public override async ValueTask WriteAsync(Stream to, CancellationToken cancellationToken)
        {
            if (!bytes.IsEmpty)
                await to.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            await to.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        public override ValueTask<ReadOnlyMemory<byte>> ReadAllAsync(CancellationToken cancellationToken) => ValueTask.FromResult(bytes);
    }
}

/// <summary>
/// A body that comes from a caller while it is passed on; kept as it goes by, if asked to, so that a retry can send it again.
/// </summary>
internal sealed class StreamedBody(PipeReader source, long? length, bool keep, long limit) : RequestBody
{
    private ArrayBufferWriter<byte>? _kept;
    private long _read;
    private bool _begun;
    private bool _complete;

    public override long? Length => length;

    public override bool CanWrite => !_begun || _kept is not null;

    /// <summary>Bytes taken from the caller so far.</summary>
    public long Received => _read;

    public override async ValueTask WriteAsync(Stream to, CancellationToken cancellationToken)
    {
        if (!CanWrite)
            throw new InvalidOperationException("a streamed body can be sent once only");
        if (keep)
            _kept ??= new ArrayBufferWriter<byte>((int)Math.Clamp(length ?? 256, 1, limit));
        _begun = true;
        if (_kept is { WrittenCount: > 0 })
            await to.WriteAsync(_kept.WrittenMemory, cancellationToken).ConfigureAwait(false);
        while (!_complete)
        {
            if (!TryRead(out var read))
            {
                // What is there already goes out before more is waited for.
                await to.FlushAsync(cancellationToken).ConfigureAwait(false);
                read = await ReadAsync(cancellationToken).ConfigureAwait(false);
            }

            try
            {
                if (_kept is not null)
                {
                    foreach (var part in read.Buffer)
                        _kept.Write(part.Span);
                }

                foreach (var part in read.Buffer)
                    await to.WriteAsync(part, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                Advance(read);
            }
        }

        await to.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask<ReadOnlyMemory<byte>> ReadAllAsync(CancellationToken cancellationToken)
    {
        if (_begun && _kept is null)
            throw new InvalidOperationException("a streamed body can be read once only");
        _begun = true;
        _kept ??= new ArrayBufferWriter<byte>((int)Math.Clamp(length ?? 256, 1, limit));
        while (!_complete)
        {
            var read = await ReadAsync(cancellationToken).ConfigureAwait(false);
            foreach (var part in read.Buffer)
                _kept.Write(part.Span);
            Advance(read);
        }

        return _kept.WrittenMemory;
    }

    private bool TryRead(out ReadResult read)
    {
        try
        {
            if (!source.TryRead(out read))
                return false;
        }
        catch (Exception e) when (e is BadHttpRequestException or IOException)
        {
            throw Translate(e);
        }

        Check(read);
        return true;
    }

    private async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var read = await source.ReadAsync(cancellationToken).ConfigureAwait(false);
            Check(read);
            return read;
        }
        catch (Exception e) when (e is BadHttpRequestException or IOException)
        {
            throw Translate(e);
        }
    }

    private void Check(ReadResult read)
    {
        if (_read + read.Buffer.Length > limit)
            throw new RequestBodyException(new BodyTooLargeException());
    }

    private void Advance(ReadResult read)
    {
        _read += read.Buffer.Length;
        _complete = read.IsCompleted;
        source.AdvanceTo(read.Buffer.End);
    }

    private static RequestBodyException Translate(Exception e) =>
        new(e is BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } ? new BodyTooLargeException() : e);
}

/// <summary>The caller's body cannot be read to its end: it is too large, or the caller has gone.</summary>
internal sealed class RequestBodyException(Exception inner) : Exception(inner.Message, inner);
