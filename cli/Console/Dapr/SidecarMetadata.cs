using System.Globalization;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What sidecars of real Dapr say about themselves at <c>/v1.0/metadata</c> and by their public API. Sidecars that do not answer are left out.</summary>
internal static class SidecarMetadata
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };

    public static async Task<IReadOnlyList<ComponentView>> ComponentsAsync(StackStatus stack, CancellationToken cancel)
    {
        var all = new List<(string App, string Name, string Type, string Version, string[] Capabilities)>();
        foreach (var (app, metadata) in await ReadAsync(stack, cancel))
        {
            foreach (var c in List(metadata, "components"))
                all.Add((app, Text(c, "name"), Text(c, "type"), Text(c, "version"), [.. List(c, "capabilities").Select(x => x.GetString() ?? "")]));
        }

        return [.. all.GroupBy(c => (c.Name, c.Type, c.Version)).OrderBy(g => g.Key.Name, StringComparer.Ordinal)
            .Select(g => new ComponentView(g.Key.Name, g.Key.Type, g.Key.Version, null, [.. g.Select(c => c.App)], g.First().Capabilities, new Dictionary<string, string>()))];
    }

    public static async Task<IReadOnlyList<SubscriptionView>> SubscriptionsAsync(StackStatus stack, CancellationToken cancel) =>
    [
        .. (await ReadAsync(stack, cancel)).SelectMany(m => List(m.Metadata, "subscriptions").Select(s => new SubscriptionView(
            m.App, Text(s, "pubsubname"), Text(s, "topic"), Text(s, "type").ToLowerInvariant(),
            [.. List(s, "rules").Select(r => new SubscriptionRoute(Text(r, "match") is { Length: > 0 } match ? match : null, Text(r, "path")))],
            Text(s, "deadLetterTopic") is { Length: > 0 } letters ? letters : null, false))),
    ];

    public static async Task<IReadOnlyList<ActorTypeView>> ActorsAsync(StackStatus stack, CancellationToken cancel) =>
    [
        .. (await ReadAsync(stack, cancel)).SelectMany(m => (m.Metadata.TryGetProperty("actorRuntime", out var runtime) ? List(runtime, "activeActors") : [])
            .Select(a => new ActorTypeView(Text(a, "type"), m.App, a.TryGetProperty("count", out var count) ? count.GetInt32() : 0, null))),
    ];

    /// <summary>Items of every configuration store, through the first sidecar that has it.</summary>
    public static async Task<IReadOnlyList<SettingView>> SettingsAsync(StackStatus stack, CancellationToken cancel)
    {
        var items = new List<SettingView>();
        foreach (var component in (await ComponentsAsync(stack, cancel)).Where(c => c.Type.StartsWith("configuration.", StringComparison.Ordinal)))
        {
            var port = stack.Apps.First(a => a.App == component.Apps[0]).DaprHttpPort;
            using var response = await Http.GetAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/v1.0/configuration/{component.Name}")), cancel);
            if (!response.IsSuccessStatusCode || await response.Content.ReadAsByteArrayAsync(cancel) is not { Length: > 0 } body)
                continue;
            using var answer = JsonDocument.Parse(body);
            items.AddRange(answer.RootElement.EnumerateObject().Select(i => new SettingView(component.Name, i.Name, Secrets.Show(i.Name, Text(i.Value, "value")), Text(i.Value, "version"))));
        }

        return items;
    }

    private static async Task<IReadOnlyList<(string App, JsonElement Metadata)>> ReadAsync(StackStatus stack, CancellationToken cancel)
    {
        var found = await Task.WhenAll(stack.Apps.Where(a => a.SidecarHealthy).Select(async a =>
        {
            try
            {
                using var metadata = JsonDocument.Parse(await Http.GetByteArrayAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{a.DaprHttpPort}/v1.0/metadata")), cancel));
                return ((string App, JsonElement Metadata)?)(a.App, metadata.RootElement.Clone());
            }
            catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
            {
                return null;
            }
        }));
        return [.. found.OfType<(string, JsonElement)>()];
    }

    private static IEnumerable<JsonElement> List(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : [];

    private static string Text(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
