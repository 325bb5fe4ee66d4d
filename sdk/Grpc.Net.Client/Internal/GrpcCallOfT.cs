using System.IO.Compression;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>One call. With one response, <see cref="InvokeAsync"/> is its course; with many, the caller reads them from it.</summary>
internal sealed class GrpcCall<TRequest, TResponse> : GrpcCall, IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    readonly Method<TRequest, TResponse> _method;
    readonly HttpContent _content;
    readonly bool _gzip;
    Task<FrameReader?>? _responses;
    HttpResponseMessage? _response;
    TResponse? _current;
    int _reading;

    GrpcCall(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options, bool gzip, HttpContent content)
        : base(channel, method, host, options)
    {
        _method = method;
        _gzip = gzip;
        _content = content;
    }

    protected override HttpContent Content => _content;

    /// <summary>A call with one request, which is serialized here.</summary>
    public static GrpcCall<TRequest, TResponse> WithRequest(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var gzip = RequestIsGzip(options);
        var compress = gzip && (options.WriteOptions is null || (options.WriteOptions.Flags & WriteFlags.NoCompress) == 0);
        var frame = FrameSerializer.Serialize(method.RequestMarshaller, request, channel.MaxSendMessageSize, compress ? CompressionLevel.Fastest : null);
        return new GrpcCall<TRequest, TResponse>(channel, method, host, options, gzip, new SingleMessageContent(frame));
    }

    /// <summary>A call whose requests the caller writes.</summary>
    public static GrpcCall<TRequest, TResponse> WithRequestStream(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        new(channel, method, host, options, RequestIsGzip(options), new StreamingContent());

    public ClientStreamWriter<TRequest, TResponse> CreateWriter() => new(this, (StreamingContent)_content, _method.RequestMarshaller, _gzip);

    /// <summary>Runs a call with one response to its end.</summary>
    public async Task<TResponse> InvokeAsync()
    {
        Begin();
        var doing = "Error starting gRPC call.";
        try
        {
            if (IsFinished)
                throw Failure();
            var response = await SendAsync().ConfigureAwait(false);
            if (!Accept(response))
                throw IsFailure ? Failure() : NoMessage();

            doing = "Error reading response.";
            var stream = await response.Content.ReadAsStreamAsync(Aborted).ConfigureAwait(false);
            using var reader = new FrameReader(stream, Channel.MaxReceiveMessageSize, ResponseIsGzip);
            TResponse? message = null;
            if (await reader.ReadAsync(Aborted).ConfigureAwait(false))
            {
                message = Deserialize(reader);
                if (await reader.ReadAsync(Aborted).ConfigureAwait(false))
                    throw new InvalidDataException("Unexpected data after finished reading message.");
            }

            FinishWithTrailers(response);
            if (IsFailure)
                throw Failure();
            (_content as SingleMessageContent)?.Release();
            return message ?? throw NoMessage();
        }
        catch (Exception e) when (!IsFinished)
        {
            FinishWithFailure(doing, e);
            throw Failure();
        }
        catch (Exception e) when (e is not RpcException && IsFailure)
        {
            // What the end of the call, by the caller or its deadline, threw down here.
            throw Failure();
        }
    }

    /// <summary>Starts a call with many responses.</summary>
    public void Start()
    {
        Begin();
        _responses = StartAsync();
    }

    public TResponse Current => _current ?? throw new InvalidOperationException("No message is available: MoveNext has not returned true.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _reading, 1) == 1)
            return Task.FromException<bool>(new InvalidOperationException("Can't read the next message because the previous read is in progress."));
        return MoveNextCore(cancellationToken);
    }

    /// <summary>What a write to an ended call throws.</summary>
    public Exception WriteFailure() => IsFailure ? Failure() : new InvalidOperationException("Can't write the message because the call is complete.");

    public bool HasEnded => IsFinished;

    public CancellationToken AbortedToken => Aborted;

    public int? MaxSendMessageSize => Channel.MaxSendMessageSize;

    public WriteOptions? DefaultWriteOptions => Options.WriteOptions;

    public CancellationTokenRegistration CancelCallWith(CancellationToken cancellationToken) => CancelWith(cancellationToken);

    public void Fail(RpcException exception) => Finish(exception.Status, null);

    /// <summary>
    /// A write failed. If the server has ended the call that is the reason; if the caller is not reading, only the failure itself is known.
    /// </summary>
    public async Task<Exception> WriteFailedAsync(Exception exception, Task? course)
    {
        if (course is not null)
            await course.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        else if (_responses is not null && !IsFinished && exception is not OperationCanceledException)
            FinishWithFailure("Error writing request.", exception);
        return IsFinished ? WriteFailure() : new RpcException(FailureCodes.ToStatus("Error writing request.", exception));
    }

    bool IsFailure => IsFinished && GetStatus().StatusCode != StatusCode.OK;

    static RpcException NoMessage() => new(new Status(StatusCode.Internal, "Failed to deserialize response message."));

    async Task<FrameReader?> StartAsync()
    {
        if (IsFinished)
            return null;
        try
        {
            var response = await SendAsync().ConfigureAwait(false);
            if (!Accept(response))
                return null;
            _response = response;
            var stream = await response.Content.ReadAsStreamAsync(Aborted).ConfigureAwait(false);
            return new FrameReader(stream, Channel.MaxReceiveMessageSize, ResponseIsGzip);
        }
        catch (Exception e)
        {
            FinishWithFailure("Error starting gRPC call.", e);
            return null;
        }
    }

    async Task<bool> MoveNextCore(CancellationToken cancellationToken)
    {
        var registration = CancelWith(cancellationToken);
        try
        {
            var reader = await _responses!.ConfigureAwait(false);
            if (!IsFinished && reader is not null)
            {
                if (await reader.ReadAsync(Aborted).ConfigureAwait(false))
                {
                    _current = Deserialize(reader);
                    return true;
                }

                reader.Dispose();
                FinishWithTrailers(_response!);
            }
        }
        catch (Exception e)
        {
            FinishWithFailure("Error reading next message.", e);
        }
        finally
        {
            registration.Unregister();
            _reading = 0;
        }

        _current = null;
        return IsFailure ? throw Failure() : false;
    }

    TResponse Deserialize(FrameReader reader)
    {
        try
        {
            return PayloadContext.Deserialize(_method.ResponseMarshaller, reader.Payload);
        }
        catch (Exception e) when (e is not RpcException)
        {
            throw new RpcException(new Status(StatusCode.Internal, "Failed to deserialize response message.", e));
        }
    }
}
