using System.Globalization;
using System.Text.Json;
using Dapr.Client;
using DaprPlatform.Contracts.Baskets;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf.WellKnownTypes;
using BasketMessage = DaprPlatform.Contracts.Baskets.Basket;

namespace DaprPlatform.Basket.Domain;

/// <summary>
/// Baskets, in Dapr state with a time to live. The store's ETag goes to the client and comes back in If-Match, so that of two tabs that change one basket the
/// second hears of the first. Names and prices are looked up when the basket is read: an order takes those of its own moment anyway.
/// </summary>
internal sealed class BasketShelf(
    DaprClient dapr, Catalog.CatalogClient catalog, CurrentUser user, BasketOptions options, BasketMetrics metrics, TimeProvider time) : IBaskets
{
    private const string Store = "statestore";
    private const string NeverWritten = "new";
    private const int MaxLines = 100;
    private const int MaxQuantity = 100;
    private const int MaxRaces = 5;
    private static readonly StateOptions FirstWrite = new() { Concurrency = ConcurrencyMode.FirstWrite, Consistency = ConsistencyMode.Strong };

    public async Task<BasketMessage> GetBasketAsync(GetBasketRequest request, CancellationToken cancellationToken)
    {
        var (basket, etag) = await ReadAsync(KeyOf(user.Id.ToString()), cancellationToken);
        return await ToMessageAsync(basket, etag, cancellationToken);
    }

    public async Task<BasketMessage> PutBasketAsync(PutBasketRequest request, CancellationToken cancellationToken)
    {
        var key = KeyOf(user.Id.ToString());
        var lines = Validate(request);
        var wanted = request.IfMatch;
        if (wanted.Length == 0)
            throw Refusals.PreconditionRequired();
        await RequireKnownAsync(lines, cancellationToken);
        for (var race = 0; race < MaxRaces; race++)
        {
            var (_, etag) = await ReadAsync(key, cancellationToken);
            if (wanted != "*" && wanted != Quoted(etag))
                break;
            if (await TryWriteAsync(key, new StoredBasket(lines, time.GetUtcNow()), etag, cancellationToken))
            {
                metrics.Happened("written");
                var (written, current) = await ReadAsync(key, cancellationToken);
                return await ToMessageAsync(written, current, cancellationToken);
            }
        }
        metrics.Happened("conflict");
        throw Refusals.EtagMismatch();
    }

    /// <summary>Empties the baskets that were not changed since. A basket changed later is for the next order.</summary>
    /// <param name="orderedAt">By user.</param>
    /// <param name="cancellationToken">Ends the try.</param>
    public async Task ClearAsync(IReadOnlyDictionary<string, DateTimeOffset> orderedAt, CancellationToken cancellationToken)
    {
        var users = orderedAt.ToDictionary(o => KeyOf(o.Key), o => o.Value, StringComparer.Ordinal);
        // Most have been empty for long, or never were: one look finds those that are not.
        foreach (var found in await dapr.GetBulkStateAsync(Store, [.. users.Keys], parallelism: null, cancellationToken: cancellationToken))
        {
            // A change that wins the race is a change after the order.
            if (found.Value.Length > 0 && JsonSerializer.Deserialize<StoredBasket>(found.Value, JsonSerializerOptions.Web) is { Lines.Count: > 0 } basket && basket.UpdatedAt <= users[found.Key]
                && await TryWriteAsync(found.Key, new StoredBasket([], time.GetUtcNow()), found.ETag, cancellationToken))
                metrics.Happened("cleared");
        }
    }

    private static List<StoredLine> Validate(PutBasketRequest request)
    {
        var validator = new Validator().Require(request.Items.Count <= MaxLines, "items", $"must have at most {MaxLines} entries");
        for (var i = 0; i < request.Items.Count; i++)
        {
            var item = request.Items[i];
            validator
                .Require(item.ProductId.Length is >= 1 and <= 64, string.Create(CultureInfo.InvariantCulture, $"items[{i}].productId"), "must have 1 to 64 characters")
                .Require(item.Quantity is >= 1 and <= MaxQuantity, string.Create(CultureInfo.InvariantCulture, $"items[{i}].quantity"), $"must be 1 to {MaxQuantity}");
        }
        validator.Require(request.Items.Select(i => i.ProductId).Distinct(StringComparer.Ordinal).Count() == request.Items.Count, "items", "must name each product once")
            .ThrowIfInvalid();
        return [.. request.Items.Select(i => new StoredLine(i.ProductId, (int)i.Quantity))];
    }

    private async Task RequireKnownAsync(List<StoredLine> lines, CancellationToken cancellationToken)
    {
        if (lines.Count > 0 && (await PricesAsync(lines, cancellationToken)).UnknownSkus is { Count: > 0 } unknown)
            throw new ProblemException(422, "unknown-product", "There is no such product", "One or more products are unknown.")
            {
                Extensions = new Dictionary<string, string> { ["productIds"] = string.Join(',', unknown) },
            };
    }

    private async Task<GetPricesResponse> PricesAsync(IReadOnlyList<StoredLine> lines, CancellationToken cancellationToken)
    {
        var request = new GetPricesRequest();
        request.Skus.AddRange(lines.Select(l => l.ProductId));
        return await catalog.GetPricesAsync(request, cancellationToken: cancellationToken);
    }

    private async Task<(StoredBasket Basket, string Etag)> ReadAsync(string key, CancellationToken cancellationToken)
    {
        var (basket, etag) = await dapr.GetStateAndETagAsync<StoredBasket?>(Store, key, ConsistencyMode.Strong, cancellationToken: cancellationToken);
        return basket is null ? (new StoredBasket([], DateTimeOffset.UnixEpoch), "") : (basket, etag);
    }

    private Task<bool> TryWriteAsync(string key, StoredBasket basket, string etag, CancellationToken cancellationToken) =>
        dapr.TrySaveStateAsync(
            Store,
            key,
            basket,
            etag,
            FirstWrite,
            new Dictionary<string, string> { ["ttlInSeconds"] = ((long)options.Lifetime.TotalSeconds).ToString(CultureInfo.InvariantCulture) },
            cancellationToken);

    private async Task<BasketMessage> ToMessageAsync(StoredBasket basket, string etag, CancellationToken cancellationToken)
    {
        var message = new BasketMessage { Etag = Quoted(etag), UpdatedAt = Timestamp.FromDateTimeOffset(basket.UpdatedAt) };
        if (basket.Lines.Count == 0)
            return message;
        var prices = (await PricesAsync(basket.Lines, cancellationToken)).Products.ToDictionary(p => p.Sku, StringComparer.Ordinal);
        foreach (var line in basket.Lines)
        {
            // A product that is gone stays in the basket, as one that cannot be ordered.
            var known = prices.TryGetValue(line.ProductId, out var price);
            message.Lines.Add(new BasketLine
            {
                ProductId = line.ProductId,
                Name = price?.Name ?? "",
                Quantity = line.Quantity,
                UnitPriceMinor = price?.PriceMinor ?? 0,
                Available = known,
            });
            message.TotalMinor += checked((price?.PriceMinor ?? 0) * line.Quantity);
            message.Currency = price?.Currency ?? message.Currency;
        }
        return message;
    }

    private static string KeyOf(string userId) => "basket-" + userId;

    private static string Quoted(string etag) => $"\"{(etag.Length == 0 ? NeverWritten : etag)}\"";
}

internal sealed record StoredBasket(IReadOnlyList<StoredLine> Lines, DateTimeOffset UpdatedAt);

internal sealed record StoredLine(string ProductId, int Quantity);
