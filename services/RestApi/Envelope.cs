using DaprPlatform.Contracts.Common;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace DaprPlatform.RestApi;

/// <summary>Every successful answer: <c>{"data": …}</c>, lists with their page.</summary>
public sealed record Envelope<T>(T Data);

public sealed record ListEnvelope<T>(IReadOnlyList<T> Data, PageView Page);

/// <param name="Page">From 1; absent when the page was asked for by cursor.</param>
/// <param name="Total">Of all pages.</param>
/// <param name="NextCursor">Absent on the last page.</param>
public sealed record PageView(int? Page, int Limit, long Total, string? NextCursor);

internal static class Envelope
{
    public const int MaxLimit = 100;
    public const int DefaultLimit = 20;

    public static Envelope<T> Of<T>(T data) => new(data);

    public static ListEnvelope<TView> Of<T, TView>(IEnumerable<T> items, Func<T, TView> view, PageInfo page) =>
        new([.. items.Select(view)], new PageView(page.Page == 0 ? null : page.Page, page.Limit, page.Total, NullIfEmpty(page.NextCursor)));

    /// <summary>A page of a list, with its neighbours in <c>Link</c> (RFC 8288).</summary>
    public static ListEnvelope<TView> Page<T, TView>(HttpContext context, IEnumerable<T> items, Func<T, TView> view, PageInfo page)
    {
        PageLinks.Write(context, page);
        return Of(items, view, page);
    }

    public static PageRequest Page(int? page, int? limit, string? cursor)
    {
        new Validator()
            .Require(page is null or (>= 1 and <= 100_000), "page", "must be 1 to 100000")
            .Require(limit is null or (>= 1 and <= MaxLimit), "limit", $"must be 1 to {MaxLimit}")
            .Require(page is null || cursor is null, "cursor", "cannot be combined with page")
            .ThrowIfInvalid();
        return new PageRequest { Page = page ?? 1, Limit = limit ?? DefaultLimit, Cursor = cursor ?? "" };
    }

    public static string? NullIfEmpty(string text) => text.Length == 0 ? null : text;

    /// <summary>The one value of <c>Idempotency-Key</c>, or an empty text.</summary>
    public static string IdempotencyKey(HttpContext context)
    {
        var values = context.Request.Headers["Idempotency-Key"];
        if (values.Count == 0)
            return "";
        if (values.Count != 1 || string.IsNullOrWhiteSpace(values[0]))
            throw Refusals.Validation("Idempotency-Key", "must have one value that is not blank");
        return values[0]!;
    }

    public static void MarkReplayed(HttpContext context, bool replayed)
    {
        if (replayed)
            context.Response.Headers["Idempotent-Replayed"] = "true";
    }

    /// <summary>Writes the ETag; true when the client has that version.</summary>
    public static bool IsNotModified(HttpContext context, string etag)
    {
        context.Response.Headers.ETag = etag;
        var given = context.Request.Headers[HeaderNames.IfNoneMatch];
        return given.Count > 0 && EntityTagHeaderValue.TryParseList(given, out var tags) && tags.Any(t => t.Tag.Value is "*" || t.Tag == etag);
    }
}
