using System.Text;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Storage;

namespace DaprPlatform.Sidecar.Locking;

/// <summary><c>lock.redis</c>: a key with the owner as its value that expires.</summary>
internal sealed class RedisLockStore(ComponentSpec spec) : ILockStore
{
    private const string Space = "lock";
    private IKeyValueServer? _server;

    public IReadOnlyList<string> Capabilities => [];

    private IKeyValueServer Server => _server ?? throw new InvalidOperationException("the store is not initialised");

    public async Task InitAsync(CancellationToken cancellationToken) =>
        _server = await KeyValueServers.StandInAsync(spec, RedisAddress.Of(spec), cancellationToken).ConfigureAwait(false);

    public async ValueTask<bool> TryLockAsync(string resource, string owner, TimeSpan expiry, CancellationToken cancellationToken)
    {
        var take = new KeyValueOperation
        {
            Key = resource,
            Value = Encoding.UTF8.GetBytes(owner),
            Condition = KeyValueCondition.Absent,
            Ttl = KeyValueTtl.Set,
            TtlMilliseconds = (long)expiry.TotalMilliseconds,
        };
        var results = await Server.TransactAsync(Space, [take], allOrNothing: true, cancellationToken).ConfigureAwait(false);
        return results[0].Status == KeyValueStatus.Done;
    }

    public async ValueTask<UnlockStatus> UnlockAsync(string resource, string owner, CancellationToken cancellationToken)
    {
        var give = new KeyValueOperation { Key = resource, IsDelete = true, Condition = KeyValueCondition.Value, Expected = Encoding.UTF8.GetBytes(owner) };
        var results = await Server.TransactAsync(Space, [give], allOrNothing: true, cancellationToken).ConfigureAwait(false);
        return results[0].Status switch
        {
            KeyValueStatus.Done => UnlockStatus.Success,
            KeyValueStatus.Missing => UnlockStatus.LockDoesNotExist,
            _ => UnlockStatus.LockBelongsToOthers,
        };
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
