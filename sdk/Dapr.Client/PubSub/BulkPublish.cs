namespace Dapr.Client;

/// <summary>One event of a bulk publish.</summary>
public class BulkPublishEntry<TValue>
{
    /// <summary>An event with its id within the request.</summary>
    public BulkPublishEntry(string entryId, TValue eventData, string contentType, IReadOnlyDictionary<string, string>? metadata = null)
    {
        EntryId = entryId;
        EventData = eventData;
        ContentType = contentType;
        Metadata = metadata ?? new Dictionary<string, string>();
    }

    /// <summary>Its position in the request, from 0.</summary>
    public string EntryId { get; }

    /// <summary>The event.</summary>
    public TValue EventData { get; }

    /// <summary>What it was sent as.</summary>
    public string ContentType { get; }

    /// <summary>Its metadata.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }
}

/// <summary>An event of a bulk publish that was not published.</summary>
public class BulkPublishResponseFailedEntry<TValue>
{
    /// <summary>The event and why.</summary>
    public BulkPublishResponseFailedEntry(BulkPublishEntry<TValue> entry, string errorMessage)
    {
        Entry = entry;
        ErrorMessage = errorMessage;
    }

    /// <summary>The event.</summary>
    public BulkPublishEntry<TValue> Entry { get; }

    /// <summary>Why.</summary>
    public string ErrorMessage { get; }
}

/// <summary>What became of a bulk publish.</summary>
public class BulkPublishResponse<TValue>
{
    /// <summary>An outcome with these failures.</summary>
    public BulkPublishResponse(List<BulkPublishResponseFailedEntry<TValue>> failedEntries) => FailedEntries = failedEntries;

    /// <summary>Events that were not published; all others were.</summary>
    public List<BulkPublishResponseFailedEntry<TValue>> FailedEntries { get; }
}
