namespace DaprPlatform.Sidecar.PubSub;

/// <summary>What a content type means for an event's data; parameters such as charset do not count.</summary>
internal static class ContentTypes
{
    public const string CloudEvent = "application/cloudevents+json";
    public const string Json = "application/json";
    public const string Text = "text/plain";
    public const string Octets = "application/octet-stream";

    public static bool IsCloudEvent(string contentType) => Is(contentType, CloudEvent);

    public static bool IsJson(string contentType)
    {
        var type = MediaType(contentType);
        return type.Equals(Json, StringComparison.OrdinalIgnoreCase)
            || (type.StartsWith("application/", StringComparison.OrdinalIgnoreCase) && type.EndsWith("+json", StringComparison.OrdinalIgnoreCase));
    }

    public static bool IsBinary(string contentType) => Is(contentType, Octets) || Is(contentType, "application/cloudevents+protobuf");

    private static bool Is(string contentType, string type) => MediaType(contentType).Equals(type, StringComparison.OrdinalIgnoreCase);

    private static ReadOnlySpan<char> MediaType(string contentType)
    {
        var end = contentType.IndexOf(';', StringComparison.Ordinal);
        return (end < 0 ? contentType.AsSpan() : contentType.AsSpan(0, end)).Trim();
    }
}
