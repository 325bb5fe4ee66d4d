using DaprPlatform.Contracts.Baskets;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.RestApi;

/// <summary>The basket of the signed-in user.</summary>
public static class BasketApi
{
    private const int MaxLines = 100;

    public static IEndpointRouteBuilder MapBasketApi(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/basket").WithTags("basket").RequireAuthorization(Policies.User).ProducesProblem(StatusCodes.Status401Unauthorized);
        group.MapGet("", GetBasketAsync).WithName("GetBasket").WithSummary("The user's basket with the prices of now");
        group.MapPut("", PutBasketAsync).WithName("PutBasket").WithSummary("Replace the lines of the basket; needs If-Match")
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status412PreconditionFailed)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity).ProducesProblem(StatusCodes.Status428PreconditionRequired);
        return app;
    }

    private static async Task<Ok<Envelope<BasketView>>> GetBasketAsync(HttpContext context, IBaskets baskets, CancellationToken cancellationToken) =>
        Answer(context, await baskets.GetBasketAsync(new GetBasketRequest(), cancellationToken));

    private static async Task<Ok<Envelope<BasketView>>> PutBasketAsync(BasketBody body, HttpContext context, IBaskets baskets, CancellationToken cancellationToken)
    {
        if (context.Request.Headers.IfMatch.ToString() is not { Length: > 0 } etag)
            throw Refusals.PreconditionRequired();
        var items = body.Items ?? throw Refusals.Validation("items", "is required");
        var validator = new Validator().Require(items.Count <= MaxLines, "items", $"must have at most {MaxLines} entries");
        OrderBookApi.ValidateItems(validator, items);
        validator.ThrowIfInvalid();
        var request = new PutBasketRequest { IfMatch = etag };
        request.Items.AddRange(items.Select(i => new BasketItem { ProductId = i.ProductId, Quantity = i.Quantity }));
        return Answer(context, await baskets.PutBasketAsync(request, cancellationToken));
    }

    private static Ok<Envelope<BasketView>> Answer(HttpContext context, Basket basket)
    {
        context.Response.Headers.ETag = basket.Etag;
        return TypedResults.Ok(Envelope.Of(BasketView.From(basket)));
    }
}

/// <param name="Items">All of them; an empty list empties the basket.</param>
public sealed record BasketBody(IReadOnlyList<ItemBody>? Items);

/// <param name="Currency">Absent while there is nothing in it.</param>
public sealed record BasketView(IReadOnlyList<BasketLineView> Items, long TotalMinor, string? Currency)
{
    internal static BasketView From(Basket basket) =>
        new(
            [.. basket.Lines.Select(l => new BasketLineView(l.ProductId, l.Name, l.Quantity, l.UnitPriceMinor, l.UnitPriceMinor * l.Quantity, l.Available))],
            basket.TotalMinor,
            Envelope.NullIfEmpty(basket.Currency));
}

/// <param name="Available">False: there is no such product any more.</param>
public sealed record BasketLineView(string ProductId, string Name, int Quantity, long UnitPriceMinor, long LineTotalMinor, bool Available);
