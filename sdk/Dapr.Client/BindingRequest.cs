namespace Dapr.Client;

/// <summary>A call of a binding.</summary>
public sealed class BindingRequest
{
    /// <summary>A call without data.</summary>
    public BindingRequest(string bindingName, string operation)
    {
        ArgumentException.ThrowIfNullOrEmpty(bindingName);
        ArgumentException.ThrowIfNullOrEmpty(operation);
        BindingName = bindingName;
        Operation = operation;
    }

    /// <summary>The binding.</summary>
    public string BindingName { get; }

    /// <summary>What it should do, such as <c>create</c>.</summary>
    public string Operation { get; }

    /// <summary>The data, as it is.</summary>
    public ReadOnlyMemory<byte> Data { get; set; }

    /// <summary>Metadata for the binding.</summary>
    public Dictionary<string, string> Metadata { get; } = [];
}

/// <summary>The answer of a binding.</summary>
public sealed class BindingResponse
{
    /// <summary>An answer to the request.</summary>
    public BindingResponse(BindingRequest request, ReadOnlyMemory<byte> data, IReadOnlyDictionary<string, string> metadata)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(metadata);
        Request = request;
        Data = data;
        Metadata = metadata;
    }

    /// <summary>What was asked.</summary>
    public BindingRequest Request { get; }

    /// <summary>The data, as it is.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>What the binding said besides.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }
}
