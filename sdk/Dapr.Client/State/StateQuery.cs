namespace Dapr.Client;

/// <summary>A page of values that match a query.</summary>
public class StateQueryResponse<TValue>
{
    /// <summary>A page.</summary>
    public StateQueryResponse(IReadOnlyList<StateQueryItem<TValue>> results, string? token, IReadOnlyDictionary<string, string> metadata)
    {
        Results = [.. results];
        Token = token;
        Metadata = metadata;
    }

    /// <summary>The values.</summary>
    public IReadOnlyList<StateQueryItem<TValue>> Results { get; }

    /// <summary>Where the next page begins; for the query's <c>page.token</c>.</summary>
    public string? Token { get; }

    /// <summary>What the store said besides.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }
}

/// <summary>A value that matches a query.</summary>
public class StateQueryItem<TValue>
{
    /// <summary>A value, or why it could not be read.</summary>
    public StateQueryItem(string key, TValue? data, string? etag, string? error)
    {
        Key = key;
        Data = data;
        ETag = etag;
        Error = error;
    }

    /// <summary>The key.</summary>
    public string Key { get; }

    /// <summary>The value; the default of its type if it could not be read.</summary>
    public TValue? Data { get; }

    /// <summary>The etag.</summary>
    public string? ETag { get; }

    /// <summary>Why the value could not be read; empty if it could.</summary>
    public string? Error { get; }
}

/// <summary>Some of the values that match a query could not be read.</summary>
public class StateQueryException<TValue> : DaprException
{
    /// <summary>The page, failures included.</summary>
    public StateQueryException(string message, StateQueryResponse<TValue> response, IReadOnlyList<string> failedKeys)
        : base(message)
    {
        Response = response;
        FailedKeys = failedKeys;
    }

    /// <summary>The page; values that could not be read have an error.</summary>
    public StateQueryResponse<TValue> Response { get; }

    /// <summary>Keys of those values.</summary>
    public IReadOnlyList<string> FailedKeys { get; }
}
