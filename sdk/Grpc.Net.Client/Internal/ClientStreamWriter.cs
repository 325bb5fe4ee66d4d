using System.IO.Compression;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

internal sealed class ClientStreamWriter<TRequest, TResponse>(GrpcCall<TRequest, TResponse> call, StreamingContent content, Marshaller<TRequest> marshaller, bool gzip)
    : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
{
    int _writing;
    bool _completed;

    /// <summary>The course of a call with one response, which tells the status that a failing write only sees the effect of.</summary>
    public Task? Course { get; set; }

    public WriteOptions? WriteOptions { get; set; } = call.DefaultWriteOptions;

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_completed)
            return Task.FromException(new InvalidOperationException("Can't write the message because the client stream writer is complete."));
        if (Interlocked.Exchange(ref _writing, 1) == 1)
            return Task.FromException(new InvalidOperationException("Can't write the message because the previous write is in progress."));
        return WriteCoreAsync(message, cancellationToken);
    }

    public Task CompleteAsync()
    {
        if (_writing == 1)
            return Task.FromException(new InvalidOperationException("Can't complete the client stream writer because the previous write is in progress."));
        _completed = true;
        content.Complete();
        return Task.CompletedTask;
    }

    async Task WriteCoreAsync(TRequest message, CancellationToken cancellationToken)
    {
        var registration = call.CancelCallWith(cancellationToken);
        try
        {
            if (!call.HasEnded)
                await content.Opened.ConfigureAwait(false);
            if (call.HasEnded || content.Use() is not { } stream)
                throw call.WriteFailure();

            var flags = WriteOptions?.Flags ?? 0;
            Frame frame;
            try
            {
                frame = FrameSerializer.Serialize(marshaller, message, call.MaxSendMessageSize, gzip && (flags & WriteFlags.NoCompress) == 0 ? CompressionLevel.Fastest : null);
            }
            catch (RpcException e)
            {
                call.Fail(e);
                throw;
            }

            try
            {
                await stream.WriteAsync(frame.Memory, call.AbortedToken).ConfigureAwait(false);
                if ((flags & WriteFlags.BufferHint) == 0)
                    await stream.FlushAsync(call.AbortedToken).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                throw await call.WriteFailedAsync(e, Course).ConfigureAwait(false);
            }

            frame.Return();
        }
        finally
        {
            registration.Unregister();
            Volatile.Write(ref _writing, 0);
        }
    }
}
