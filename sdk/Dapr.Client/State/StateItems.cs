namespace Dapr.Client;

/// <summary>A value of a bulk read, as the JSON it is stored as.</summary>
/// <param name="key">The key.</param>
/// <param name="value">The JSON; empty if the key does not exist.</param>
/// <param name="etag">The etag; empty if the key does not exist.</param>
public readonly struct BulkStateItem(string key, string value, string etag)
{
    /// <summary>The key.</summary>
    public string Key { get; } = key;

    /// <summary>The JSON; empty if the key does not exist.</summary>
    public string Value { get; } = value;

    /// <summary>The etag; empty if the key does not exist.</summary>
    public string ETag { get; } = etag;
}

/// <summary>A value of a bulk read.</summary>
/// <param name="key">The key.</param>
/// <param name="value">The value; the default of its type if the key does not exist.</param>
/// <param name="etag">The etag; empty if the key does not exist.</param>
public readonly struct BulkStateItem<TValue>(string key, TValue value, string etag)
{
    /// <summary>The key.</summary>
    public string Key { get; } = key;

    /// <summary>The value; the default of its type if the key does not exist.</summary>
    public TValue Value { get; } = value;

    /// <summary>The etag; empty if the key does not exist.</summary>
    public string ETag { get; } = etag;
}

/// <summary>A value to be saved with others.</summary>
/// <param name="key">The key.</param>
/// <param name="value">The value.</param>
/// <param name="etag">The etag that must still be there; null: whatever is there.</param>
/// <param name="stateOptions">How to write.</param>
/// <param name="metadata">Metadata for the store.</param>
public readonly struct SaveStateItem<TValue>(string key, TValue value, string? etag, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null)
{
    /// <summary>The key.</summary>
    public string Key { get; } = key;

    /// <summary>The value.</summary>
    public TValue Value { get; } = value;

    /// <summary>The etag that must still be there; null: whatever is there.</summary>
    public string? ETag { get; } = etag;

    /// <summary>How to write.</summary>
    public StateOptions? StateOptions { get; } = stateOptions;

    /// <summary>Metadata for the store.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; } = metadata;
}

/// <summary>A value to be deleted with others.</summary>
/// <param name="key">The key.</param>
/// <param name="etag">The etag that must still be there; null: whatever is there.</param>
/// <param name="stateOptions">How to write.</param>
/// <param name="metadata">Metadata for the store.</param>
public readonly struct BulkDeleteStateItem(string key, string? etag, StateOptions? stateOptions = null, IReadOnlyDictionary<string, string>? metadata = null)
{
    /// <summary>The key.</summary>
    public string Key { get; } = key;

    /// <summary>The etag that must still be there; null: whatever is there.</summary>
    public string? ETag { get; } = etag;

    /// <summary>How to write.</summary>
    public StateOptions? StateOptions { get; } = stateOptions;

    /// <summary>Metadata for the store.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; } = metadata;
}

/// <summary>An operation of a transaction.</summary>
public sealed class StateTransactionRequest
{
    /// <summary>An operation on a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The bytes to save, as they are; null to delete.</param>
    /// <param name="operationType">What to do.</param>
    /// <param name="etag">The etag that must still be there; null: whatever is there.</param>
    /// <param name="metadata">Metadata for the store.</param>
    /// <param name="options">How to write.</param>
    public StateTransactionRequest(
        string key, byte[]? value, StateOperationType operationType, string? etag = null, IReadOnlyDictionary<string, string>? metadata = null, StateOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        Key = key;
        Value = value;
        OperationType = operationType;
        ETag = etag;
        Metadata = metadata;
        Options = options;
    }

    /// <summary>The key.</summary>
    public string Key { get; }

    /// <summary>The bytes to save, as they are.</summary>
    public byte[]? Value { get; set; }

    /// <summary>What to do.</summary>
    public StateOperationType? OperationType { get; set; }

    /// <summary>The etag that must still be there; null: whatever is there.</summary>
    public string? ETag { get; set; }

    /// <summary>Metadata for the store.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; set; }

    /// <summary>How to write.</summary>
    public StateOptions? Options;
}
