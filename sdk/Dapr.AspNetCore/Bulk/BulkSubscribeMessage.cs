namespace Dapr.AspNetCore;

/// <summary>A delivery of several messages.</summary>
public class BulkSubscribeMessage<TValue>
{
    /// <summary>A delivery.</summary>
    public BulkSubscribeMessage(List<BulkSubscribeMessageEntry<TValue>> entries, string topic, Dictionary<string, string> metadata)
    {
        Entries = entries;
        Topic = topic;
        Metadata = metadata;
    }

    /// <summary>The messages.</summary>
    public List<BulkSubscribeMessageEntry<TValue>> Entries { get; set; }

    /// <summary>The topic.</summary>
    public string Topic { get; set; }

    /// <summary>Metadata of the delivery.</summary>
    public Dictionary<string, string> Metadata { get; set; }
}

/// <summary>A message of a delivery.</summary>
public class BulkSubscribeMessageEntry<TValue>
{
    /// <summary>A message.</summary>
    public BulkSubscribeMessageEntry(string entryId, string contentType, Dictionary<string, string> metadata, TValue @event)
    {
        EntryId = entryId;
        ContentType = contentType;
        Metadata = metadata;
        Event = @event;
    }

    /// <summary>Its id within the delivery, to be repeated in the answer.</summary>
    public string EntryId { get; set; }

    /// <summary>What it is.</summary>
    public string ContentType { get; set; }

    /// <summary>Its metadata.</summary>
    public Dictionary<string, string> Metadata { get; set; }

    /// <summary>The message: a <see cref="BulkMessageModel{TValue}"/> unless payloads are raw.</summary>
    public TValue Event { get; set; }
}

/// <summary>A cloud event of a delivery.</summary>
public class BulkMessageModel<TValue>
{
    /// <summary>A cloud event.</summary>
    public BulkMessageModel(string id, string source, string type, string specversion, string datacontenttype, TValue data)
    {
        Id = id;
        Source = source;
        Type = type;
        Specversion = specversion;
        Datacontenttype = datacontenttype;
        Data = data;
    }

    /// <summary>The event's id.</summary>
    public string Id { get; set; }

    /// <summary>Who published it.</summary>
    public string Source { get; set; }

    /// <summary>What happened.</summary>
    public string Type { get; set; }

    /// <summary>The version of the envelope.</summary>
    public string Specversion { get; set; }

    /// <summary>What the data is.</summary>
    public string Datacontenttype { get; set; }

    /// <summary>The data.</summary>
    public TValue Data { get; set; }
}

/// <summary>What becomes of a message.</summary>
public enum BulkSubscribeAppResponseStatus
{
    /// <summary>It is done.</summary>
    SUCCESS,

    /// <summary>It comes again.</summary>
    RETRY,

    /// <summary>It is dropped, or goes to the dead-letter topic.</summary>
    DROP,
}

/// <summary>What becomes of a message of a delivery.</summary>
public class BulkSubscribeAppResponseEntry
{
    /// <summary>A verdict.</summary>
    public BulkSubscribeAppResponseEntry(string entryId, BulkSubscribeAppResponseStatus status)
    {
        EntryId = entryId;
        Status = status.ToString();
    }

    /// <summary>Which message.</summary>
    public string EntryId { get; }

    /// <summary>The name of a <see cref="BulkSubscribeAppResponseStatus"/>.</summary>
    public string Status { get; }
}

/// <summary>What becomes of the messages of a delivery; those without a verdict come again.</summary>
public class BulkSubscribeAppResponse
{
    /// <summary>These verdicts.</summary>
    public BulkSubscribeAppResponse(List<BulkSubscribeAppResponseEntry> statuses) => Statuses = statuses;

    /// <summary>The verdicts.</summary>
    public List<BulkSubscribeAppResponseEntry> Statuses { get; }
}
