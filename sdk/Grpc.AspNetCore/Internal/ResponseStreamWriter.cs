using System.IO.Pipelines;
using Grpc.Core;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Writes the responses of a streaming call into the response's pipe.</summary>
internal sealed class ResponseStreamWriter<TResponse>(HttpContextServerCallContext call, Marshaller<TResponse> marshaller) : IServerStreamWriter<TResponse>
    where TResponse : class
{
    readonly PipeWriter _output = call.HttpContext.Response.BodyWriter;

    public WriteOptions? WriteOptions
    {
        get => call.WriteOptions;
        set => call.WriteOptions = value;
    }

    public Task WriteAsync(TResponse message) => WriteAsync(message, CancellationToken.None);

    public Task WriteAsync(TResponse message, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled(cancellationToken);
        try
        {
            ArgumentNullException.ThrowIfNull(message);
            if (!call.TryBeginWrite())
                return Task.FromException(call.DeadlinePassed ? call.Ended() : new InvalidOperationException("Can't write the message because the request is complete."));
        }
        catch (Exception e)
        {
            return Task.FromException(e);
        }

        ValueTask<FlushResult> flush;
        try
        {
            var options = call.WriteOptions;
            call.Write(marshaller, message, options);
            if (((options?.Flags ?? 0) & WriteFlags.BufferHint) != 0)
            {
                call.EndWrite();
                return Task.CompletedTask;
            }

            flush = _output.FlushAsync(cancellationToken);
        }
        catch (Exception e)
        {
            call.EndWrite();
            return Task.FromException(e);
        }

        if (!flush.IsCompletedSuccessfully)
            return WaitAsync(flush);
        call.EndWrite();
        return flush.Result.IsCompleted ? Task.FromException(call.Ended()) : Task.CompletedTask;
    }

    async Task WaitAsync(ValueTask<FlushResult> flush)
    {
        bool isGone;
        try
        {
            isGone = (await flush).IsCompleted;
        }
        finally
        {
            call.EndWrite();
        }

        if (isGone)
            throw call.Ended();
    }
}
