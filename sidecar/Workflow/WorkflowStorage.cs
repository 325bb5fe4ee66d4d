using Dapr.DurableTask.Protobuf;
using DaprPlatform.Sidecar.State;
using DaprPlatform.Sidecar.Workflow.Stored;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>
/// Workflow instances in the actor state store, in daprd's layout: below <c>&lt;appid&gt;||dapr.internal.&lt;ns&gt;.&lt;appid&gt;.workflow||&lt;instance&gt;||</c> the rows
/// <c>metadata</c>, <c>customStatus</c>, <c>propagated-history</c>, <c>inbox-NNNNNN</c> and <c>history-NNNNNN</c>. One row more, under the type <c>.pending</c>, marks an instance that has
/// not ended, so that a start finds those without reading the others. A history that daprd has signed with its identity (rows <c>signature-NNNNNN</c>, <c>sigcert-NNNNNN</c>,
/// <c>ext-sigcert-NNNNNN</c>) is read without checking that and goes on unsigned, as in daprd without mTLS: the signatures stay as long as the history they are of.
/// </summary>
internal sealed partial class WorkflowStorage(IStateStore store, string appId, string @namespace, ILogger? logger = null) : IWorkflowStorage
{
    private const string PropagatedKey = "propagated-history";
    private const string MetadataKey = "metadata";
    private const string HistoryKey = "history-";
    private const int KeysAtATime = 256;
    private static readonly Dictionary<string, string> NoMetadata = [];
    private static readonly string[] SignatureRows = ["signature-", "sigcert-", "ext-sigcert-"];
    private static readonly byte[] Mark = "1"u8.ToArray();
    private readonly string _instances = $"{appId}||dapr.internal.{@namespace}.{appId}.workflow||";
    private readonly string _pending = $"{appId}||dapr.internal.{@namespace}.{appId}.pending||";

    public async ValueTask<StoredInstance?> LoadAsync(string instanceId, CancellationToken cancellationToken)
    {
        var prefix = Prefix(instanceId);
        var item = await store.GetAsync(prefix + "metadata", Consistency.Strong, NoMetadata, cancellationToken).ConfigureAwait(false);
        if (item is null)
            return null;
        try
        {
            return await LoadAsync(instanceId, prefix, item, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"workflow '{instanceId}': a row is not what it should be: {e.Message}", e);
        }
    }

    private async ValueTask<StoredInstance> LoadAsync(string instanceId, string prefix, StateItem item, CancellationToken cancellationToken)
    {
        var metadata = InstanceMetadata.Parser.ParseFrom(item.Value.Span);
        var keys = new List<string> { prefix + "customStatus", Pending(instanceId), prefix + PropagatedKey };
        var first = keys.Count;
        for (ulong i = 0; i < metadata.InboxLength; i++)
            keys.Add($"{prefix}inbox-{i:D6}");
        for (ulong i = 0; i < metadata.HistoryLength; i++)
            keys.Add($"{prefix}history-{i:D6}");
        var rows = await store.GetManyAsync(keys, NoMetadata, cancellationToken).ConfigureAwait(false);
        var inbox = new List<HistoryEvent>();
        var history = new WorkflowHistory();
        for (var i = first; i < rows.Count; i++)
        {
            var isInbox = (ulong)(i - first) < metadata.InboxLength;
            var row = rows[i] ?? throw new InvalidDataException($"workflow '{instanceId}': {(isInbox ? "inbox" : "history")} key '{keys[i][prefix.Length..]}' declared in metadata ({(isInbox ? "inboxLength" : "historyLength")}={(isInbox ? metadata.InboxLength : metadata.HistoryLength)}) but missing from state store");
            var e = HistoryEvent.Parser.ParseFrom(row.Value.Span);
            if (isInbox)
                inbox.Add(e);
            else
                history.Append(e);
        }

        var shape = new StoredShape
        {
            Generation = metadata.Generation,
            History = history.Events.Count,
            Inbox = inbox.Count,
            CustomStatus = rows[0] is { Value.Length: > 0 } custom ? StringValue.Parser.ParseFrom(custom.Value.Span).Value : null,
            IsOpen = rows[1] is not null,
            Signed = await SignedAsync(instanceId, metadata, item.Value.Length, cancellationToken).ConfigureAwait(false),
            Propagated = rows[2] is { } propagated ? PropagatedHistory.Parser.ParseFrom(propagated.Value.Span) : null,
        };
        return new StoredInstance(shape, history, inbox);
    }

    public async ValueTask<(IReadOnlyList<string> Ids, string? Next)> OpenAsync(string? page, int limit, CancellationToken cancellationToken)
    {
        var keys = await store.KeysAsync(_pending, page, limit, cancellationToken).ConfigureAwait(false);
        return ([.. keys.Select(k => k[_pending.Length..^2])], keys.Count < limit ? null : keys[^1]);
    }

    /// <summary>In the order of the rows <c>metadata</c>, since an id may have "||" in it. Long histories are passed over by a seek.</summary>
    public async ValueTask<IReadOnlyList<string>> ListAsync(string? after, int limit, CancellationToken cancellationToken)
    {
        var ids = new List<string>();
        var cursor = after is null ? null : Prefix(after) + MetadataKey;
        while (true)
        {
            var keys = await store.KeysAsync(_instances, cursor, KeysAtATime, cancellationToken).ConfigureAwait(false);
            foreach (var key in keys)
            {
                if (!key.EndsWith("||" + MetadataKey, StringComparison.Ordinal))
                    continue;
                ids.Add(key[_instances.Length..^(MetadataKey.Length + 2)]);
                if (ids.Count == limit)
                    return ids;
            }

            if (keys.Count < KeysAtATime)
                return ids;
            cursor = keys[^1];
            var row = cursor.LastIndexOf("||", StringComparison.Ordinal) + 2;
            if (cursor.AsSpan(row).StartsWith(HistoryKey, StringComparison.Ordinal))
                cursor = cursor[..row] + HistoryKey + '\uffff';
        }
    }

    public ValueTask CommitAsync(InstanceChange change, CancellationToken cancellationToken) =>
        change.Before.Signed is not null && (change.IsRemoved || (change.Kept == 0 && change.Before.History > 0))
            ? CommitUnsignedAsync(change, cancellationToken)
            : CommitAsync(change, [], cancellationToken);

    public async Task EraseAsync(string instanceId, CancellationToken cancellationToken)
    {
        var prefix = Prefix(instanceId);
        var keys = await store.KeysAsync(prefix, null, int.MaxValue, cancellationToken).ConfigureAwait(false);
        // Of another instance whose id begins like this one's and goes on with the separator.
        var own = keys.Where(k => k.IndexOf("||", prefix.Length, StringComparison.Ordinal) < 0);
        await store.TransactAsync([.. own.Append(Pending(instanceId)).Select(Delete)], NoMetadata, cancellationToken).ConfigureAwait(false);
    }

    // The history that was signed goes, and with it its signatures.
    private async ValueTask CommitUnsignedAsync(InstanceChange change, CancellationToken cancellationToken)
    {
        var signatures = new List<string>();
        foreach (var rows in SignatureRows)
            signatures.AddRange(await store.KeysAsync(Prefix(change.Id) + rows, null, int.MaxValue, cancellationToken).ConfigureAwait(false));
        change.Before.Signed = null;
        await CommitAsync(change, signatures, cancellationToken).ConfigureAwait(false);
    }

    private ValueTask CommitAsync(InstanceChange change, List<string> signatures, CancellationToken cancellationToken)
    {
        var before = change.Before;
        var prefix = Prefix(change.Id);
        var writes = new List<StateWrite>(change.Appended.Count + 4);
        var history = change.IsRemoved ? 0 : change.Kept + change.Appended.Count;
        var inbox = change.IsRemoved ? [] : change.Inbox;
        if (!change.IsRemoved)
        {
            for (var i = 0; i < change.Appended.Count; i++)
                writes.Add(Upsert($"{prefix}history-{change.Kept + i:D6}", change.Appended[i]));
            for (var i = 0; i < inbox.Count; i++)
            {
                if (inbox[i].Row != i)
                    writes.Add(Upsert($"{prefix}inbox-{i:D6}", inbox[i].Event));
            }
        }

        for (var i = history; i < before.History; i++)
            writes.Add(Delete($"{prefix}history-{i:D6}"));
        for (var i = inbox.Count; i < before.Inbox; i++)
            writes.Add(Delete($"{prefix}inbox-{i:D6}"));
        var status = change.IsRemoved ? null : change.CustomStatus;
        if (status is not null && status != before.CustomStatus)
            writes.Add(Upsert(prefix + "customStatus", new StringValue { Value = status }));
        else if (status is null && before.CustomStatus is not null)
            writes.Add(Delete(prefix + "customStatus"));
        if (change.PropagatedChanges)
            writes.Add(change is { IsRemoved: false, Propagated: { } propagated } ? Upsert(prefix + PropagatedKey, propagated) : Delete(prefix + PropagatedKey));
        writes.Add(change.IsRemoved
            ? Delete(prefix + "metadata")
            : Upsert(prefix + "metadata", Metadata(before.Signed, inbox.Count, history, change.Generation)));
        writes.AddRange(signatures.Select(Delete));
        var open = change is { IsOpen: true, IsRemoved: false };
        if (open != before.IsOpen)
            writes.Add(open ? new StateWrite(StateOperationKind.Upsert, Pending(change.Id), Mark) : Delete(Pending(change.Id)));
        return store.TransactAsync(writes, NoMetadata, cancellationToken);
    }

    private static StateWrite Upsert(string key, IMessage message) => new(StateOperationKind.Upsert, key, message.ToByteArray());

    private static StateWrite Delete(string key) => new(StateOperationKind.Delete, key);

    private static InstanceMetadata Metadata(InstanceMetadata? signed, int inbox, int history, ulong generation)
    {
        var metadata = signed?.Clone() ?? new InstanceMetadata();
        (metadata.InboxLength, metadata.HistoryLength, metadata.Generation) = ((ulong)inbox, (ulong)history, generation);
        return metadata;
    }

    private async ValueTask<InstanceMetadata?> SignedAsync(string instanceId, InstanceMetadata metadata, int size, CancellationToken cancellationToken)
    {
        // Nothing but what this runtime writes itself, as nearly always.
        if (Metadata(null, (int)metadata.InboxLength, (int)metadata.HistoryLength, metadata.Generation).CalculateSize() == size
            || await store.GetAsync($"{Prefix(instanceId)}{SignatureRows[0]}000000", Consistency.Strong, NoMetadata, cancellationToken).ConfigureAwait(false) is null)
            return null;
        LogSigned(logger ?? NullLogger.Instance, instanceId);
        return metadata;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Workflow '{InstanceId}' has signed history but no signer is configured; signature verification skipped")]
    private static partial void LogSigned(ILogger logger, string instanceId);

    private string Prefix(string instanceId) => $"{_instances}{instanceId}||";

    private string Pending(string instanceId) => $"{_pending}{instanceId}||";
}
