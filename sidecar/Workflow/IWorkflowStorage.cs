using Dapr.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.Sidecar.Workflow;

/// <summary>Where the instances of an app are durable. Every change of an instance is one transaction. Safe for concurrent use; changes of one instance come one after the other.</summary>
internal interface IWorkflowStorage
{
    /// <summary>An instance as it was last committed; null when there is none.</summary>
    /// <exception cref="InvalidDataException">Rows of it are missing or are none of this runtime's.</exception>
    ValueTask<StoredInstance?> LoadAsync(string instanceId, CancellationToken cancellationToken);

    /// <summary>Instances that have something to do after a restart, in no order of meaning, a page at a time; the token of the next page is null at the end.</summary>
    ValueTask<(IReadOnlyList<string> Ids, string? Next)> OpenAsync(string? page, int limit, CancellationToken cancellationToken);

    /// <summary>Ids of instances after a given one, in order.</summary>
    ValueTask<IReadOnlyList<string>> ListAsync(string? after, int limit, CancellationToken cancellationToken);

    /// <summary>Completes when the change is durable.</summary>
    ValueTask CommitAsync(InstanceChange change, CancellationToken cancellationToken);

    /// <summary>Removes whatever there is of an instance, of one that cannot be read any more too. Completes when that is durable.</summary>
    Task EraseAsync(string instanceId, CancellationToken cancellationToken);
}

/// <summary>An instance as it stands in the store.</summary>
internal sealed record StoredInstance(StoredShape Shape, WorkflowHistory History, IReadOnlyList<HistoryEvent> Inbox);

/// <summary>What the store has of an instance; a change is written against it.</summary>
internal sealed class StoredShape
{
    /// <summary>A storage's own number of the instance; 0 when it has none.</summary>
    public long Key { get; set; }

    /// <summary>A storage's own number of the next block of history.</summary>
    public int Block { get; set; }

    /// <summary>Events of the history.</summary>
    public int History { get; set; }

    public int Inbox { get; set; }

    public string? CustomStatus { get; set; }

    public ulong Generation { get; set; }

    public bool IsOpen { get; set; }

    /// <summary>Null: not known.</summary>
    public OrchestrationStatus? Status { get; set; }

    /// <summary>Metadata of a history that another runtime has signed, with what only that one knows; null otherwise.</summary>
    public Stored.InstanceMetadata? Signed { get; set; }

    /// <summary>What the parent showed of its history; the very object that was written or read.</summary>
    public PropagatedHistory? Propagated { get; set; }

    /// <summary>The change is committed.</summary>
    public void Take(InstanceChange change)
    {
        History = change.IsRemoved ? 0 : change.Kept + change.Appended.Count;
        Inbox = change.IsRemoved ? 0 : change.Inbox.Count;
        CustomStatus = change.IsRemoved ? null : change.CustomStatus;
        Generation = change.Generation;
        IsOpen = !change.IsRemoved && change.IsOpen;
        Status = change.IsRemoved ? null : change.Summary?.Status;
        Propagated = change.IsRemoved ? null : change.Propagated;
    }
}

/// <summary>What one commit makes of an instance.</summary>
/// <param name="Before">What the store has of it.</param>
internal sealed record InstanceChange(string Id, StoredShape Before)
{
    /// <summary>Events of the stored history that stay: all of them or none.</summary>
    public int Kept { get; init; }

    public IReadOnlyList<HistoryEvent> Appended { get; init; } = [];

    public IReadOnlyList<InboxItem> Inbox { get; init; } = [];

    public string? CustomStatus { get; init; }

    /// <summary>Counts the executions of an id.</summary>
    public ulong Generation { get; init; }

    /// <summary>It has something to do after a restart: it has not ended, or is to be purged at a time.</summary>
    public bool IsOpen { get; init; }

    public bool IsRemoved { get; init; }

    /// <summary>For storages that list instances by more than their ids; null where it is removed.</summary>
    public InstanceSummary? Summary { get; init; }

    /// <summary>What the instance was shown of its parent's history; stays through all its executions.</summary>
    public PropagatedHistory? Propagated { get; init; }

    /// <summary>It is not what the store has.</summary>
    public bool PropagatedChanges => !ReferenceEquals(IsRemoved ? null : Propagated, Before.Propagated);
}

/// <summary>What a list shows of an instance.</summary>
/// <param name="CreatedAt">Null until its first turn.</param>
/// <param name="UpdatedAt">Of its last event; null until its first turn.</param>
internal sealed record InstanceSummary(string Name, OrchestrationStatus Status, Timestamp? CreatedAt, Timestamp? UpdatedAt);
