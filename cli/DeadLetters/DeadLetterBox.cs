using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.PubSub;
using DaprPlatform.Sidecar.StandIns.Log;

namespace DaprPlatform.Cli.DeadLetters;

/// <summary>An event that a consumer could not process.</summary>
/// <param name="Id">topic/partition/offset of the letter.</param>
/// <param name="Topic">Where it was published, and where a replay puts it.</param>
/// <param name="EventId">Of its CloudEvent; null when it is none.</param>
/// <param name="Source">Who published it.</param>
/// <param name="At">When it became a dead letter.</param>
/// <param name="ReplayedAt">Null: not replayed.</param>
/// <param name="Consumer">The app that could not process it. Like the rest of what was recorded there, null for one that was published as a dead letter.</param>
/// <param name="Attempts">Deliveries before it was given up; 0: it could not even be read.</param>
/// <param name="Cause">Why, in the app's words where it said some.</param>
/// <param name="From">topic/partition/offset where it was read.</param>
internal sealed record DeadLetter(
    string Id,
    string Topic,
    string? EventId,
    string? Type,
    string? Source,
    string? Subject,
    DateTimeOffset At,
    DateTimeOffset? ReplayedAt,
    string? Consumer,
    int? Attempts,
    string? Cause,
    string? From,
    JsonNode? Event)
{
    /// <summary>Null: it was not taken off the list.</summary>
    public DateTimeOffset? DroppedAt { get; init; }
}

/// <summary>
/// The dead-letter topics of a running stack: all whose names end in <c>.dlq</c>. A replay appends the event to its own topic under its own id, so consumers
/// that had it before know it. What was replayed is noted behind the append: a crash in between replays it once more, which changes nothing.
/// </summary>
internal sealed class DeadLetterBox(Engine engine, string noteFile, TimeProvider time)
{
    private const string Suffix = ".dlq";
    private readonly TopicBrowser _topics = new(engine);
    private readonly SemaphoreSlim _replaying = new(1, 1);

    /// <summary>Some were replayed or dropped.</summary>
    public event Action? Changed;

    /// <summary>Whether dead letters are in a topic of this name.</summary>
    public static bool Holds(string topic) => topic.EndsWith(Suffix, StringComparison.Ordinal) && topic.Length > Suffix.Length;

    public IReadOnlyList<DeadLetter> List(bool all)
    {
        var (replayed, dropped) = (Notes(noteFile), Notes(DropFile));
        return [.. Messages().Select(m => Letter(m, replayed, dropped)).Where(l => all || (l.ReplayedAt is null && l.DroppedAt is null))];
    }

    /// <summary>Null when there is none of this id.</summary>
    public DeadLetter? Find(string id) => Messages().Where(m => IdOf(m) == id).Select(m => Letter(m, Notes(noteFile), Notes(DropFile))).FirstOrDefault();

    /// <summary>Replays those of the ids, or, without ids, every one that was not replayed. Says how many.</summary>
    /// <param name="ids">Those wanted.</param>
    /// <param name="edited">Published in place of the only one of the ids, under the id of its event; null: as they are.</param>
    /// <exception cref="CommandException">There is none of one of the ids.</exception>
    public async Task<int> ReplayAsync(IReadOnlyCollection<string> ids, CancellationToken cancel, JsonNode? edited = null)
    {
        if (edited is not null && ids.Count != 1)
            throw new CommandException("An edited event goes with one dead letter.");
        await _replaying.WaitAsync(cancel);
        try
        {
            var notes = Notes(noteFile);
            var dropped = Notes(DropFile);
            var messages = Messages().ToDictionary(IdOf, StringComparer.Ordinal);
            if (ids.FirstOrDefault(id => !messages.ContainsKey(id)) is { } unknown)
                throw new CommandException($"There is no dead letter {unknown}.");
            var wanted = ids.Count > 0 ? ids.Distinct(StringComparer.Ordinal).ToList() : [.. messages.Keys.Where(id => !notes.ContainsKey(id) && !dropped.ContainsKey(id))];
            foreach (var id in wanted)
            {
                var message = edited is null ? messages[id] : messages[id] with { Value = Edited(messages[id], edited) };
                await _topics.CopyAsync(message, message.Topic[..^Suffix.Length], cancel);
                notes[id] = time.GetUtcNow();
                await WriteAsync(noteFile, notes, cancel);
            }

            Changed?.Invoke();

            return wanted.Count;
        }
        finally
        {
            _replaying.Release();
        }
    }

    /// <summary>Takes those of the ids off the list; the topic keeps them until its retention ends. Says how many were on it.</summary>
    /// <exception cref="CommandException">There is none of one of the ids.</exception>
    public async Task<int> DropAsync(IReadOnlyCollection<string> ids, CancellationToken cancel)
    {
        await _replaying.WaitAsync(cancel);
        try
        {
            var known = Messages().Select(IdOf).ToHashSet(StringComparer.Ordinal);
            if (ids.FirstOrDefault(id => !known.Contains(id)) is { } unknown)
                throw new CommandException($"There is no dead letter {unknown}.");
            var dropped = Notes(DropFile);
            var count = ids.Distinct(StringComparer.Ordinal).Count(id => dropped.TryAdd(id, time.GetUtcNow()));
            await WriteAsync(DropFile, dropped, cancel);
            Changed?.Invoke();
            return count;
        }
        finally
        {
            _replaying.Release();
        }
    }

    private string DropFile => Path.Combine(Path.GetDirectoryName(noteFile)!, "dlq-dropped.json");

    // Consumers know an event by its id: what is edited stays the same event.
    private static byte[] Edited(TopicMessage original, JsonNode edited)
    {
        var id = Text(Parse(original.Value), "id");
        if (id is not null && edited is not JsonObject)
            throw new CommandException("The event is a CloudEvent: its edited form must be a JSON object.");
        var copy = edited.DeepClone();
        if (id is not null)
            copy["id"] = id;
        return JsonSerializer.SerializeToUtf8Bytes(copy);
    }

    private IEnumerable<TopicMessage> Messages() =>
        _topics.Topics().Where(t => Holds(t.Topic)).SelectMany(t => _topics.Read(t.Server, t.Topic));

    private static Dictionary<string, DateTimeOffset> Notes(string file) =>
        File.Exists(file) ? JsonSerializer.Deserialize<Dictionary<string, DateTimeOffset>>(File.ReadAllText(file)) ?? [] : [];

    private static async Task WriteAsync(string file, Dictionary<string, DateTimeOffset> notes, CancellationToken cancel)
    {
        // Whole or not at all.
        var next = file + ".next";
        await File.WriteAllTextAsync(next, JsonSerializer.Serialize(notes), cancel);
        File.Move(next, file, overwrite: true);
    }

    private static string IdOf(TopicMessage message) => string.Create(CultureInfo.InvariantCulture, $"{message.Topic}/{message.Partition}/{message.Offset}");

    private static DeadLetter Letter(TopicMessage message, Dictionary<string, DateTimeOffset> replayed, Dictionary<string, DateTimeOffset> dropped)
    {
        var id = IdOf(message);
        var content = Parse(message.Value);
        var facts = DeadLetterFacts.Of(message.Headers);
        return new DeadLetter(
            id,
            message.Topic[..^Suffix.Length],
            Text(content, "id"),
            Text(content, "type"),
            Text(content, "source"),
            Text(content, "subject") ?? message.Key,
            message.At,
            replayed.TryGetValue(id, out var at) ? at : null,
            facts?.AppId,
            facts?.Attempts,
            facts?.Cause,
            facts is { Topic: { } topic, Partition: { } partition, Offset: { } offset } ? string.Create(CultureInfo.InvariantCulture, $"{topic}/{partition}/{offset}") : null,
            content)
        {
            DroppedAt = dropped.TryGetValue(id, out var droppedAt) ? droppedAt : null,
        };
    }

    // What is no JSON is shown as the text it is.
    private static JsonNode? Parse(ReadOnlyMemory<byte>? value)
    {
        if (value is not { } bytes)
            return null;
        try
        {
            return JsonNode.Parse(bytes.Span);
        }
        catch (JsonException)
        {
            return JsonValue.Create(System.Text.Encoding.UTF8.GetString(bytes.Span));
        }
    }

    private static string? Text(JsonNode? content, string name) =>
        content is JsonObject members && members[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
