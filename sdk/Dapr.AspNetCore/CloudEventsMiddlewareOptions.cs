namespace Dapr;

/// <summary>How cloud events are unwrapped.</summary>
public class CloudEventsMiddlewareOptions
{
    /// <summary>Data that is text and not JSON stays a JSON string instead of becoming the text itself.</summary>
    public bool SuppressJsonDecodingOfTextPayloads { get; set; }

    /// <summary>The attributes of the event become request headers named <c>Cloudevent.</c> and the attribute in lower case.</summary>
    public bool ForwardCloudEventPropertiesAsHeaders { get; set; }

    /// <summary>If not null, only these attributes become headers.</summary>
    public string[]? IncludedCloudEventPropertiesAsHeaders { get; set; }

    /// <summary>If not null, these attributes do not become headers. Not asked if there is a list of included ones.</summary>
    public string[]? ExcludedCloudEventPropertiesFromHeaders { get; set; }
}
