using System.Text.Json;

namespace DaprPlatform.Sidecar.State;

/// <summary>A query of items (https://docs.dapr.io/developing-applications/building-blocks/state-management/howto-state-query-api/).</summary>
/// <param name="Filter">Null matches every item.</param>
/// <param name="Limit">Items a page; 0 is without limit.</param>
/// <param name="Token">Where the page begins: what the answer before it has returned.</param>
internal sealed record StateQuery(StateFilter? Filter, IReadOnlyList<StateSort> Sort, int Limit, string Token, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Only keys that begin so are found: an app does not see what others keep in the same table. Empty is all.</summary>
    public string KeyPrefix { get; init; } = "";

    /// <exception cref="StateException">It is malformed; the message says where.</exception>
    public static StateQuery Parse(ReadOnlyMemory<byte> json, IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw new StateException("the query must be an object");
            var filter = root.TryGetProperty("filter", out var given) ? StateFilter.Parse(given) : null;
            var sort = new List<StateSort>();
            if (root.TryGetProperty("sort", out var sorts) && sorts.ValueKind == JsonValueKind.Array)
                sort.AddRange(sorts.EnumerateArray().Select(StateSort.Parse));
            var (limit, token) = (0, "");
            if (root.TryGetProperty("page", out var page) && page.ValueKind == JsonValueKind.Object)
            {
                limit = page.TryGetProperty("limit", out var l) && l.TryGetInt32(out var number) ? number : 0;
                token = page.TryGetProperty("token", out var t) && t.ValueKind == JsonValueKind.String ? t.GetString()! : "";
            }

            return new StateQuery(filter, sort, limit, token, metadata);
        }
        catch (JsonException e)
        {
            throw new StateException($"failed to parse the query: {e.Message}", e);
        }
    }
}

internal sealed record StateSort(string Key, bool Descending)
{
    public static StateSort Parse(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || !json.TryGetProperty("key", out var key) || key.ValueKind != JsonValueKind.String)
            throw new StateException("a sort entry needs a key");
        var order = json.TryGetProperty("order", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : "";
        return order.ToUpperInvariant() switch
        {
            "" or "ASC" => new StateSort(key.GetString()!, false),
            "DESC" => new StateSort(key.GetString()!, true),
            _ => throw new StateException($"order {order} is not ASC or DESC"),
        };
    }
}

internal enum StateComparison
{
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
}

/// <summary>A condition on an item's value.</summary>
internal abstract record StateFilter
{
    /// <param name="All">True: every one must hold. False: one is enough.</param>
    internal sealed record Group(bool All, IReadOnlyList<StateFilter> Filters) : StateFilter;

    /// <param name="Path">Members from the root of the value, joined by points.</param>
    /// <param name="Operands">One, or for <see cref="StateComparison.In"/> any number: JSON texts.</param>
    internal sealed record Compare(StateComparison Comparison, string Path, IReadOnlyList<string> Operands) : StateFilter;

    /// <summary>Null for an empty filter, which matches everything.</summary>
    public static StateFilter? Parse(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new StateException("a filter must be an object");
        var members = json.EnumerateObject().ToList();
        if (members.Count == 0)
            return null;
        if (members.Count > 1)
            throw new StateException("a filter must have one operator");
        var (name, body) = (members[0].Name, members[0].Value);
        if (name.ToUpperInvariant() is "AND" or "OR")
        {
            if (body.ValueKind != JsonValueKind.Array || body.GetArrayLength() < 2)
                throw new StateException($"{name} needs at least two filters");
            return new Group(string.Equals(name, "AND", StringComparison.OrdinalIgnoreCase),
                [.. body.EnumerateArray().Select(f => Parse(f) ?? throw new StateException($"a filter in {name} is empty"))]);
        }

        if (!Enum.TryParse<StateComparison>(name, ignoreCase: true, out var comparison) || char.IsAsciiDigit(name[0]))
            throw new StateException($"unsupported filter {name}");
        if (body.ValueKind != JsonValueKind.Object || body.EnumerateObject().Count() != 1)
            throw new StateException($"{name} needs one key and its value");
        var operand = body.EnumerateObject().First();
        if (comparison != StateComparison.In)
            return new Compare(comparison, operand.Name, [operand.Value.GetRawText()]);
        if (operand.Value.ValueKind != JsonValueKind.Array || operand.Value.GetArrayLength() == 0)
            throw new StateException("IN needs a list of values");
        return new Compare(comparison, operand.Name, [.. operand.Value.EnumerateArray().Select(v => v.GetRawText())]);
    }
}

/// <param name="Items">Keys are as stored.</param>
/// <param name="Token">Where the next page begins; empty after the last.</param>
internal sealed record StateQueryAnswer(IReadOnlyList<(string Key, StateItem Item)> Items, string Token = "");
