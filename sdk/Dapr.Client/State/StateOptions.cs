namespace Dapr.Client;

/// <summary>What happens when two writers meet.</summary>
public enum ConcurrencyMode
{
    /// <summary>The first one wins; the etag decides.</summary>
    FirstWrite,

    /// <summary>The last one wins.</summary>
    LastWrite,
}

/// <summary>What a read sees.</summary>
public enum ConsistencyMode
{
    /// <summary>Any replica will do.</summary>
    Eventual,

    /// <summary>Every write acknowledged before.</summary>
    Strong,
}

/// <summary>What an operation of a transaction does.</summary>
public enum StateOperationType
{
    /// <summary>Saves.</summary>
    Upsert,

    /// <summary>Deletes.</summary>
    Delete,
}

/// <summary>How a value is written; what is null is left to the store.</summary>
public class StateOptions
{
    /// <summary>When the write counts as done.</summary>
    public ConsistencyMode? Consistency { get; set; }

    /// <summary>What happens when two writers meet.</summary>
    public ConcurrencyMode? Concurrency { get; set; }
}
