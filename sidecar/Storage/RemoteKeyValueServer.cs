using DaprPlatform.Sidecar.StandIns;
using DaprPlatform.Sidecar.Storage.Wire;
using Grpc.Core;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// A key-value server in the stand-in process of the machine. Requests of concurrent callers share calls; reads do not wait behind writes. A read that was lost with
/// the connection is repeated; a write is not, since it may have been done: its caller gets a <see cref="StoreException"/>.
/// </summary>
internal sealed class RemoteKeyValueServer : IKeyValueServer, IAsyncDisposable
{
    private const int LargestBatch = 256;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private readonly KeyValueStandIn.KeyValueStandInClient _client;
    private readonly string _address;
    private readonly Batcher<KeyValueRequest, KeyValueAnswer> _reads;
    private readonly Batcher<KeyValueRequest, KeyValueAnswer> _writes;

    public RemoteKeyValueServer(CallInvoker invoker, string address)
    {
        _client = new KeyValueStandIn.KeyValueStandInClient(invoker);
        _address = address;
        _reads = new Batcher<KeyValueRequest, KeyValueAnswer>(requests => StandInCalls.RepeatAsync(() => ExecuteAsync(requests)), LargestBatch);
        _writes = new Batcher<KeyValueRequest, KeyValueAnswer>(ExecuteAsync, LargestBatch);
    }

    public async ValueTask<KeyValueRecord?> GetAsync(string space, string key, CancellationToken cancellationToken) =>
        (await GetManyAsync(space, [key], cancellationToken).ConfigureAwait(false))[0];

    public async ValueTask<KeyValueRecord?[]> GetManyAsync(string space, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var request = new KeyValueRequest { Space = space, Get = new KeyValueGet() };
        request.Get.Keys.AddRange(keys);
        var answer = await SendAsync(_reads, request, cancellationToken).ConfigureAwait(false);
        var records = new KeyValueRecord?[keys.Count];
        for (var i = 0; i < records.Length; i++)
        {
            var found = answer.Found[i];
            records[i] = found.Exists ? new KeyValueRecord(found.Value.Memory, found.Version, found.ExpiresAt, found.Marked) : null;
        }

        return records;
    }

    public async ValueTask<KeyValueResult[]> TransactAsync(string space, IReadOnlyList<KeyValueOperation> operations, bool allOrNothing, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var request = new KeyValueRequest { Space = space, Transaction = new KeyValueTransaction { AllOrNothing = allOrNothing } };
        foreach (var operation in operations)
        {
            request.Transaction.Writes.Add(new KeyValueWrite
            {
                Key = operation.Key,
                IsDelete = operation.IsDelete,
                Value = StandInCalls.Bytes(operation.Value),
                Condition = (int)operation.Condition,
                Version = operation.Version,
                Expected = StandInCalls.Bytes(operation.Expected),
                Ttl = (int)operation.Ttl,
                TtlMilliseconds = operation.TtlMilliseconds,
                Mark = operation.Mark,
            });
        }

        // Once sent it will be done; a caller who leaves would only lose the answer.
        var answer = await SendAsync(_writes, request, CancellationToken.None).ConfigureAwait(false);
        var results = new KeyValueResult[operations.Count];
        for (var i = 0; i < results.Length; i++)
            results[i] = new KeyValueResult((KeyValueStatus)answer.Outcomes[i].Status, answer.Outcomes[i].Version);
        return results;
    }

    public async ValueTask<IReadOnlyList<string>> KeysAsync(string space, string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        var request = new KeyValueRequest { Space = space, Keys = new KeyValueKeys { Prefix = prefix, Limit = limit } };
        if (after is not null)
            request.Keys.After = after;
        return (await SendAsync(_reads, request, cancellationToken).ConfigureAwait(false)).Keys;
    }

    public async ValueTask<IAsyncDisposable> WatchAsync(string space, Action<KeyValueChange> listener, CancellationToken cancellationToken)
    {
        var watch = new RemoteWatch(this, space, listener);
        await watch.Ready.WaitAsync(cancellationToken).ConfigureAwait(false);
        return watch;
    }

    public async ValueTask DisposeAsync()
    {
        await _reads.DisposeAsync().ConfigureAwait(false);
        await _writes.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<IReadOnlyList<KeyValueAnswer>> ExecuteAsync(IReadOnlyList<KeyValueRequest> requests)
    {
        var batch = new KeyValueBatch { Address = _address };
        batch.Requests.AddRange(requests);
        return (await _client.ExecuteAsync(batch).ConfigureAwait(false)).Answers;
    }

    private async Task<KeyValueAnswer> SendAsync(Batcher<KeyValueRequest, KeyValueAnswer> batcher, KeyValueRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var answers = await batcher.SendAsync([request]).WaitAsync(cancellationToken).ConfigureAwait(false);
            return answers[0].Error.Length == 0 ? answers[0] : throw new StoreException(answers[0].Error);
        }
        catch (Exception e) when (e is not StoreException && StandInCalls.IsLost(e))
        {
            throw new StoreException($"the connection to the stand-in of {_address} was lost: {(e as RpcException)?.Status.Detail ?? e.Message}", e);
        }
    }

    // Lasts until it is disposed of: when the process ends, the next one is watched. What changes in between is not seen.
    private sealed class RemoteWatch : IAsyncDisposable
    {
        private readonly CancellationTokenSource _ended = new();
        private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Task _watching;

        public RemoteWatch(RemoteKeyValueServer server, string space, Action<KeyValueChange> listener) => _watching = Task.Run(() => WatchAsync(server, space, listener));

        public Task Ready => _ready.Task;

        public async ValueTask DisposeAsync()
        {
            await _ended.CancelAsync().ConfigureAwait(false);
            await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _ended.Dispose();
        }

        private async Task WatchAsync(RemoteKeyValueServer server, string space, Action<KeyValueChange> listener)
        {
            while (!_ended.IsCancellationRequested)
            {
                try
                {
                    using var call = server._client.Watch(new KeyValueWatchRequest { Address = server._address, Space = space }, cancellationToken: _ended.Token);
                    for (var first = true; await call.ResponseStream.MoveNext(_ended.Token).ConfigureAwait(false); first = false)
                    {
                        var changed = call.ResponseStream.Current;
                        if (first)
                            _ready.TrySetResult();
                        else
                            listener(new KeyValueChange(changed.Key, changed.HasValue ? changed.Value.Memory : null));
                    }
                }
                catch (Exception e) when (StandInCalls.IsLost(e) && !_ended.IsCancellationRequested)
                {
                    await Task.Delay(Pause, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                catch (Exception e) when (_ended.IsCancellationRequested && (e is OperationCanceledException || StandInCalls.IsLost(e)))
                {
                    return;
                }
                catch (Exception e)
                {
                    _ready.TrySetException(e);
                    return;
                }
            }
        }
    }
}
