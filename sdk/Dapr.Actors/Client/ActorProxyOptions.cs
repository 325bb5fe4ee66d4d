using System.Text.Json;

namespace Dapr.Actors.Client;

public class ActorProxyOptions
{
    private JsonSerializerOptions _jsonSerializerOptions = new(JsonSerializerDefaults.Web);

    public JsonSerializerOptions JsonSerializerOptions
    {
        get => _jsonSerializerOptions;
        set => _jsonSerializerOptions = value ?? throw new ArgumentNullException(nameof(value));
    }

    /// <summary>Null or empty: none.</summary>
    public string? DaprApiToken { get; set; } = DaprDefaults.GetDefaultDaprApiToken(null);

    public string HttpEndpoint { get; set; } = DaprDefaults.GetDefaultHttpEndpoint();

    /// <summary>The longest that one call may take; null: 100 seconds.</summary>
    public TimeSpan? RequestTimeout { get; set; }

    /// <summary>Whether calls through interfaces carry JSON. Must be the same at the actor's host.</summary>
    public bool UseJsonSerialization { get; set; }
}
