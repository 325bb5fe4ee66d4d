using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.State;
using DaprPlatform.Sidecar.Workflow.Stored;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// Workflow instances in the actor state store, in daprd's layout: below <c>&lt;appid&gt;||dapr.internal.&lt;ns&gt;.&lt;appid&gt;.workflow||&lt;instance&gt;||</c> the rows
/// <c>metadata</c>, <c>customStatus</c>, <c>inbox-NNNNNN</c> and <c>history-NNNNNN</c>. One row more, under the type <c>.pending</c>, marks an instance that has
/// not ended, so that a start finds those without reading the others. Every change of an instance is one transaction.
/// </summary>
internal sealed class WorkflowStorage(IStateStore store, string appId, string @namespace)
{
    private static readonly Dictionary<string, string> NoMetadata = [];
    private readonly string _instances = $"{appId}||dapr.internal.{@namespace}.{appId}.workflow||";
    private readonly string _pending = $"{appId}||dapr.internal.{@namespace}.{appId}.pending||";

    /// <summary>An instance as it was last committed; null when there is none.</summary>
    public async ValueTask<StoredInstance?> LoadAsync(string instanceId, CancellationToken cancellationToken)
    {
        var prefix = Prefix(instanceId);
        var item = await store.GetAsync(prefix + "metadata", Consistency.Strong, NoMetadata, cancellationToken).ConfigureAwait(false);
        if (item is null)
            return null;
        var metadata = InstanceMetadata.Parser.ParseFrom(item.Value.Span);
        var keys = new List<string> { prefix + "customStatus" };
        for (ulong i = 0; i < metadata.InboxLength; i++)
            keys.Add($"{prefix}inbox-{i:D6}");
        for (ulong i = 0; i < metadata.HistoryLength; i++)
            keys.Add($"{prefix}history-{i:D6}");
        var rows = await store.GetManyAsync(keys, NoMetadata, cancellationToken).ConfigureAwait(false);
        var inbox = new List<HistoryEvent>();
        var history = new WorkflowHistory();
        for (var i = 1; i < rows.Count; i++)
        {
            var row = rows[i] ?? throw new InvalidDataException($"workflow instance '{instanceId}': row {keys[i]} is missing");
            var e = HistoryEvent.Parser.ParseFrom(row.Value.Span);
            if ((ulong)i <= metadata.InboxLength)
                inbox.Add(e);
            else
                history.Append(e);
        }

        var status = rows[0] is { Value.Length: > 0 } custom ? StringValue.Parser.ParseFrom(custom.Value.Span).Value : null;
        return new StoredInstance(metadata.Generation, history, inbox, status);
    }

    /// <summary>Instances that have not ended, in no order of meaning.</summary>
    public async ValueTask<IReadOnlyList<string>> PendingAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var keys = await store.KeysAsync(_pending, after is null ? null : _pending + after + "||", limit, cancellationToken).ConfigureAwait(false);
        return [.. keys.Select(k => k[_pending.Length..^2])];
    }

    /// <summary>Ids of instances after a given one, in the order of their keys. One seek an instance, however long its history.</summary>
    public async ValueTask<IReadOnlyList<string>> ListAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var ids = new List<string>();
        var cursor = after is null ? null : Prefix(after) + '\uffff';
        while (ids.Count < limit)
        {
            var keys = await store.KeysAsync(_instances, cursor, 1, cancellationToken).ConfigureAwait(false);
            if (keys.Count == 0)
                break;
            var rest = keys[0][_instances.Length..];
            var id = rest[..rest.LastIndexOf("||", StringComparison.Ordinal)];
            ids.Add(id);
            cursor = Prefix(id) + '\uffff';
        }

        return ids;
    }

    public ValueTask CommitAsync(IReadOnlyList<StateWrite> writes, CancellationToken cancellationToken) => store.TransactAsync(writes, NoMetadata, cancellationToken);

    public StateWrite History(string instanceId, int index, HistoryEvent e) => Upsert($"{Prefix(instanceId)}history-{index:D6}", e);

    public StateWrite NoHistory(string instanceId, int index) => Delete($"{Prefix(instanceId)}history-{index:D6}");

    public StateWrite Inbox(string instanceId, int index, HistoryEvent e) => Upsert($"{Prefix(instanceId)}inbox-{index:D6}", e);

    public StateWrite NoInbox(string instanceId, int index) => Delete($"{Prefix(instanceId)}inbox-{index:D6}");

    public StateWrite Metadata(string instanceId, int inbox, int history, ulong generation) =>
        Upsert(Prefix(instanceId) + "metadata", new InstanceMetadata { InboxLength = (ulong)inbox, HistoryLength = (ulong)history, Generation = generation });

    public StateWrite CustomStatus(string instanceId, string? status) =>
        status is null ? Delete(Prefix(instanceId) + "customStatus") : Upsert(Prefix(instanceId) + "customStatus", new StringValue { Value = status });

    public StateWrite Pending(string instanceId) => new(StateOperationKind.Upsert, $"{_pending}{instanceId}||", "1"u8.ToArray());

    public StateWrite NotPending(string instanceId) => Delete($"{_pending}{instanceId}||");

    public StateWrite NoMetadataRow(string instanceId) => Delete(Prefix(instanceId) + "metadata");

    private static StateWrite Upsert(string key, IMessage message) => new(StateOperationKind.Upsert, key, message.ToByteArray());

    private static StateWrite Delete(string key) => new(StateOperationKind.Delete, key);

    private string Prefix(string instanceId) => $"{_instances}{instanceId}||";
}

/// <summary>An instance as it stands in the store.</summary>
internal sealed record StoredInstance(ulong Generation, WorkflowHistory History, IReadOnlyList<HistoryEvent> Inbox, string? CustomStatus);
