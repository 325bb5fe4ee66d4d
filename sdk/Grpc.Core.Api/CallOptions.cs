namespace Grpc.Core;

/// <summary>What a caller may set for one call.</summary>
public struct CallOptions
{
    /// <summary>Options of a call.</summary>
    /// <param name="headers">Headers to send.</param>
    /// <param name="deadline">The point in time, UTC, after which the call ends with <see cref="StatusCode.DeadlineExceeded"/>; none if null.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <param name="writeOptions">Options of the request's messages.</param>
    /// <param name="propagationToken">From <see cref="ServerCallContext.CreatePropagationToken"/>: takes over deadline and cancellation of that call.</param>
    /// <param name="credentials">Adds headers to this call; needs a secure channel.</param>
    public CallOptions(
        Metadata? headers = null,
        DateTime? deadline = null,
        CancellationToken cancellationToken = default,
        WriteOptions? writeOptions = null,
        ContextPropagationToken? propagationToken = null,
        CallCredentials? credentials = null)
    {
        Headers = headers;
        Deadline = deadline;
        CancellationToken = cancellationToken;
        WriteOptions = writeOptions;
        PropagationToken = propagationToken;
        Credentials = credentials;
    }

    /// <summary>Headers to send.</summary>
    public Metadata? Headers { get; private set; }

    /// <summary>The deadline, UTC; none if null.</summary>
    public DateTime? Deadline { get; private set; }

    /// <summary>Cancels the call.</summary>
    public CancellationToken CancellationToken { get; private set; }

    /// <summary>Options of the request's messages.</summary>
    public WriteOptions? WriteOptions { get; private set; }

    /// <summary>The server call whose deadline and cancellation this call takes over.</summary>
    public ContextPropagationToken? PropagationToken { get; private set; }

    /// <summary>Adds headers to this call.</summary>
    public CallCredentials? Credentials { get; private set; }

    /// <summary>Whether the call waits for the channel to become ready instead of failing at once.</summary>
    public bool IsWaitForReady { get; private set; }

    /// <summary>These options with other headers.</summary>
    public CallOptions WithHeaders(Metadata headers) => this with { Headers = headers };

    /// <summary>These options with another deadline (UTC).</summary>
    public CallOptions WithDeadline(DateTime deadline) => this with { Deadline = deadline };

    /// <summary>These options with another cancellation token.</summary>
    public CallOptions WithCancellationToken(CancellationToken cancellationToken) => this with { CancellationToken = cancellationToken };

    /// <summary>These options with other write options.</summary>
    public CallOptions WithWriteOptions(WriteOptions writeOptions) => this with { WriteOptions = writeOptions };

    /// <summary>These options with another propagation token.</summary>
    public CallOptions WithPropagationToken(ContextPropagationToken propagationToken) => this with { PropagationToken = propagationToken };

    /// <summary>These options with other credentials.</summary>
    public CallOptions WithCredentials(CallCredentials credentials) => this with { Credentials = credentials };

    /// <summary>These options with the call waiting for the channel to become ready, or not.</summary>
    public CallOptions WithWaitForReady(bool waitForReady = true) => this with { IsWaitForReady = waitForReady };
}
