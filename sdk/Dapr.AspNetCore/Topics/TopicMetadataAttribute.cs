namespace Dapr;

/// <summary>Metadata for the subscription of a topic.</summary>
[AttributeUsage(AttributeTargets.All, AllowMultiple = true)]
public class TopicMetadataAttribute : Attribute, IOriginalTopicMetadata
{
    /// <summary>Metadata for all topics of the endpoint.</summary>
    public TopicMetadataAttribute(string name, string value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(value);
        Name = name;
        Value = value;
    }

    /// <summary>Metadata for the topics that name this id among their own.</summary>
    public TopicMetadataAttribute(string id, string name, string value)
        : this(name, value)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        Id = id;
    }

    /// <inheritdoc />
    public string? Id { get; }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public string Value { get; }
}
