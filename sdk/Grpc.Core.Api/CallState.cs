namespace Grpc.Core;

/// <summary>What the four call types share: how to ask the transport for headers, status and trailers without a delegate per call.</summary>
internal readonly struct CallState
{
    readonly object? _state;
    readonly object _responseHeaders;
    readonly object _getStatus;
    readonly object _getTrailers;
    readonly object _dispose;

    public CallState(Func<object, Task<Metadata>> responseHeaders, Func<object, Status> getStatus, Func<object, Metadata> getTrailers, Action<object> dispose, object state)
    {
        ArgumentNullException.ThrowIfNull(state);
        _state = state;
        _responseHeaders = responseHeaders;
        _getStatus = getStatus;
        _getTrailers = getTrailers;
        _dispose = dispose;
    }

    public CallState(Task<Metadata> responseHeaders, Func<Status> getStatus, Func<Metadata> getTrailers, Action dispose)
    {
        _responseHeaders = responseHeaders;
        _getStatus = getStatus;
        _getTrailers = getTrailers;
        _dispose = dispose;
    }

    public Task<Metadata> ResponseHeadersAsync() =>
        _state is null ? (Task<Metadata>)_responseHeaders : ((Func<object, Task<Metadata>>)_responseHeaders)(_state);

    public Status GetStatus() => _state is null ? ((Func<Status>)_getStatus)() : ((Func<object, Status>)_getStatus)(_state);

    public Metadata GetTrailers() => _state is null ? ((Func<Metadata>)_getTrailers)() : ((Func<object, Metadata>)_getTrailers)(_state);

    public void Dispose()
    {
        if (_state is null)
            ((Action)_dispose)();
        else
            ((Action<object>)_dispose)(_state);
    }
}
