using System.IO.Pipelines;
using Grpc.Core;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Reads the requests of a streaming call off the request's pipe.</summary>
internal sealed class RequestStreamReader<TRequest>(HttpContextServerCallContext call, Marshaller<TRequest> marshaller) : IAsyncStreamReader<TRequest>
    where TRequest : class
{
    static readonly Task<bool> True = Task.FromResult(true);
    static readonly Task<bool> False = Task.FromResult(false);

    readonly PipeReader _input = call.HttpContext.Request.BodyReader;
    TRequest? _current;
    int _reading;
    bool _atEnd;
    bool _callEnded;

    public TRequest Current => _current ?? throw new InvalidOperationException("No message is available: MoveNext has not returned true.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<bool>(cancellationToken);
        if (_callEnded)
            return Task.FromException<bool>(new InvalidOperationException("Can't read messages after the request is complete."));
        if (Interlocked.Exchange(ref _reading, 1) == 1)
            return Task.FromException<bool>(new InvalidOperationException("Can't read the next message because the previous read is in progress."));

        Task<bool>? result = null;
        try
        {
            if (_atEnd)
                result = False;
            else if (_input.TryRead(out var read) && TryTake(read))
                result = _atEnd ? False : True;
        }
        catch (Exception e)
        {
            result = Task.FromException<bool>(call.Translate(e));
        }

        if (result is null)
            return WaitAsync(cancellationToken);
        Volatile.Write(ref _reading, 0);
        return result;
    }

    /// <summary>The handler has returned; a reader it left behind must not touch the next request's body.</summary>
    public void End() => _callEnded = true;

    async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            // The call's own token ends the wait when the deadline passes; without a deadline the pipe itself ends it.
            using var stop = call.Deadline == DateTime.MaxValue
                ? default
                : call.CancellationToken.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _input);
            while (true)
            {
                var read = await _input.ReadAsync(cancellationToken);
                if (read.IsCanceled)
                {
                    _input.AdvanceTo(read.Buffer.Start);
                    throw call.Ended();
                }

                if (TryTake(read))
                    return !_atEnd;
            }
        }
        catch (IOException e)
        {
            throw call.Translate(e);
        }
        finally
        {
            Volatile.Write(ref _reading, 0);
        }
    }

    /// <summary>Takes a message or the end of the stream from what was read; false if more has to come.</summary>
    bool TryTake(ReadResult read)
    {
        var buffer = read.Buffer;
        if (call.HasExpired)
        {
            // The client ends its stream when it hears of the deadline; to the handler that must not look like the last request.
            _input.AdvanceTo(buffer.Start);
            throw call.Ended();
        }

        if (RequestFrames.TryCut(ref buffer, call.Settings.MaxReceiveMessageSize, call.RequestIsGzip, out var payload))
        {
            _current = RequestFrames.Deserialize(marshaller, payload);
            _input.AdvanceTo(buffer.Start);
            return true;
        }

        if (read.IsCompleted)
        {
            if (!buffer.IsEmpty)
                throw RequestFrames.Malformed("Incomplete message.");
            _input.AdvanceTo(buffer.Start);
            _current = null;
            return _atEnd = true;
        }

        _input.AdvanceTo(buffer.Start, buffer.End);
        return false;
    }
}
