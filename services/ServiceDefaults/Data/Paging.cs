using System.Buffers.Text;
using System.Globalization;
using System.Text;
using DaprPlatform.Contracts.Common;
using DaprPlatform.ServiceDefaults.Problems;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>One page of a list: by number, or by the cursor of the page before (the sort key of its last row).</summary>
/// <param name="Cursor">Null when asked for by number.</param>
/// <param name="Number">From 1.</param>
public sealed record Paging(string? Cursor, int Number, int Limit)
{
    private const int MaxLimit = 100;
    private const int DefaultLimit = 20;

    public int Offset => (Number - 1) * Limit;

    /// <exception cref="ProblemException">400: out of bounds, or a cursor that is none.</exception>
    public static Paging Read(PageRequest? request)
    {
        var limit = request is null or { Limit: 0 } ? DefaultLimit : request.Limit;
        var number = request is null or { Page: 0 } ? 1 : request.Page;
        new Validator()
            .Require(limit is >= 1 and <= MaxLimit, "limit", $"must be 1 to {MaxLimit}")
            .Require(number is >= 1 and <= 100_000, "page", "must be 1 to 100000")
            .ThrowIfInvalid();
        return new Paging(request is { Cursor.Length: > 0 } ? Decode(request.Cursor) : null, number, limit);
    }

    /// <param name="rows">One more than the limit, when there are more.</param>
    public PageInfo Info<T>(long total, IReadOnlyList<T> rows, Func<T, string> key) => new()
    {
        Page = Cursor is null ? Number : 0,
        Limit = Limit,
        Total = total,
        NextCursor = rows.Count > Limit ? Base64Url.EncodeToString(Encoding.UTF8.GetBytes(key(rows[Limit - 1]))) : "",
    };

    /// <summary>The parts of a cursor that holds a sort value and an id.</summary>
    /// <exception cref="ProblemException">400: it is not one of that form.</exception>
    public static (long Value, string Id) Split(string cursor)
    {
        var bar = cursor.IndexOf('|', StringComparison.Ordinal);
        return bar > 0 && long.TryParse(cursor.AsSpan(0, bar), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? (value, cursor[(bar + 1)..])
            : throw Refusals.Validation("cursor", "is not one of this list");
    }

    /// <summary>What <see cref="Split"/> reads.</summary>
    public static string Join(long value, string id) => string.Create(CultureInfo.InvariantCulture, $"{value}|{id}");

    private static string Decode(string cursor)
    {
        if (cursor.Length > 512 || !Base64Url.IsValid(cursor))
            throw Refusals.Validation("cursor", "is not one of this list");
        return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor));
    }
}
