namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What open pages are told. Nothing here waits for a reader: one that is slow is told to fetch anew.</summary>
internal interface IConsoleStream
{
    /// <summary>Somebody reads the topic now, or did until a moment ago.</summary>
    bool IsListened(string topic);

    /// <summary>Tells something that happened. It is kept for a while, so that a page that lost its connection misses nothing.</summary>
    /// <param name="topic">One of <see cref="StreamTopics"/>.</param>
    /// <param name="payload">Written as JSON when somebody reads it; must not change afterwards. An <see cref="IFilteredPayload"/> differs by reader.</param>
    void Publish(string topic, object payload);

    /// <summary>Tells how something stands: only the newest counts, and a new reader gets it at once.</summary>
    void PublishLatest(string topic, object payload);

    /// <summary>Runs a producer while somebody reads the topic, and half a minute longer; it is started anew for the next reader. Disposing ends it for good.</summary>
    /// <param name="topic">One of <see cref="StreamTopics"/>.</param>
    /// <param name="produce">Ends when it is cancelled.</param>
    IDisposable WhileListened(string topic, Func<CancellationToken, Task> produce);
}

/// <summary>A payload of which each reader gets its own part.</summary>
internal interface IFilteredPayload
{
    /// <summary>What it takes to keep it.</summary>
    int ApproximateBytes { get; }

    /// <summary>Null: nothing of it is for this reader.</summary>
    object? For(StreamFilter filter);
}

/// <summary>What a reader asked for: the query of its request, without topics.</summary>
internal sealed class StreamFilter(IReadOnlyDictionary<string, IReadOnlyList<string>> values)
{
    private readonly System.Collections.Concurrent.ConcurrentDictionary<Type, object> _parsed = new();

    public static StreamFilter None { get; } = new(new Dictionary<string, IReadOnlyList<string>>());

    public IReadOnlyList<string> All(string name) => values.TryGetValue(name, out var found) ? found : [];

    public string? First(string name) => All(name) is [{ Length: > 0 } first, ..] ? first : null;

    /// <summary>The filter as its topic understands it, made once for a reader.</summary>
    public T As<T>(Func<StreamFilter, T> parse) where T : class => (T)_parsed.GetOrAdd(typeof(T), _ => parse(this));
}

internal static class StreamTopics
{
    public const string Status = "status";
    public const string Events = "events";
    public const string Logs = "logs";
    public const string Workflows = "workflows";
    public const string DeadLetters = "deadLetters";
    public const string Traces = "traces";
    public const string Metrics = "metrics";
    public const string Dapr = "dapr";

    /// <summary>Which lists of the runtime are others now.</summary>
    public const string Changes = "changes";

    public static IReadOnlyList<string> All { get; } = [Status, Events, Logs, Workflows, DeadLetters, Traces, Metrics, Dapr, Changes];
}
