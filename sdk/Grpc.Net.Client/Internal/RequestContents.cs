using System.Net;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>The body of a call with one request: a frame that is ready.</summary>
internal sealed class SingleMessageContent : HttpContent
{
    readonly Frame _frame;
    volatile Task? _sending;

    public SingleMessageContent(Frame frame)
    {
        _frame = frame;
        Headers.TryAddWithoutValidation("Content-Type", GrpcNames.ContentType);
    }

    /// <summary>Gives the array back, unless it may still be in the hands of the connection.</summary>
    public void Release()
    {
        if (_sending is { IsCompletedSuccessfully: true })
            _frame.Return();
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        _sending = stream.WriteAsync(_frame.Memory, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}

/// <summary>The body of a call with many requests: open until the caller completes it or the call ends.</summary>
internal sealed class StreamingContent : HttpContent
{
    readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    volatile Stream? _stream;
    volatile bool _aborted;
    bool _used;

    public StreamingContent() => Headers.TryAddWithoutValidation("Content-Type", GrpcNames.ContentType);

    /// <summary>Ends when there is a stream to write to or the call has ended.</summary>
    public Task Opened => _opened.Task;

    /// <summary>The stream to write to; null if the call ended before there was one.</summary>
    public Stream? Use()
    {
        _used = true;
        return _stream;
    }

    public void Complete() => _completed.TrySetResult();

    public void Close()
    {
        _completed.TrySetResult();
        _opened.TrySetResult();
    }

    /// <summary>To be called before the request is cancelled: its end must not look to the server like the last of the messages.</summary>
    public void Abort() => _aborted = true;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // The handler may try a second connection if the first turned the request away; what was written to the first is gone.
        if (_used)
            throw new IOException("The connection was lost after requests had been written to it.");

        // The headers would otherwise wait for the first message, and the server for them.
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        _stream = stream;
        _opened.TrySetResult();

        // The token ends the wait if the stream is lost. The response knows why; an exception from here would hide that.
        await _completed.Task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_aborted)
            throw new OperationCanceledException("The call has ended before its requests.", cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
