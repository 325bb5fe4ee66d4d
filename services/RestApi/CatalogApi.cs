using DaprPlatform.Contracts.Inventory;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.RestApi;

/// <summary>Products and categories, open to everyone; the import, for operators.</summary>
public static class CatalogApi
{
    private const int MaxImport = 1_000;
    private const int MaxLines = 500;

    public static IEndpointRouteBuilder MapCatalogApi(this IEndpointRouteBuilder app)
    {
        var group = app.MapGroup("/api/v1/inventory").WithTags("inventory");
        group.MapGet("/products", ListProductsAsync).WithName("ListProducts").WithSummary("Products by SKU, or sort=price|-price|-sku, page by page").ProducesProblem(StatusCodes.Status400BadRequest);
        group.MapGet("/products/{sku}", GetProductAsync).WithName("GetProduct").WithSummary("One product").ProducesProblem(StatusCodes.Status404NotFound);
        group.MapGet("/categories", ListCategoriesAsync).WithName("ListCategories").WithSummary("Categories with the number of their products");
        group.MapPost("/check", CheckStockAsync).WithName("CheckStock").WithSummary("Whether so many are available now").ProducesProblem(StatusCodes.Status400BadRequest);
        group.MapPost("/import", ImportAsync).WithName("ImportProducts").WithSummary("Create and update products").RequireAuthorization(Policies.Operator)
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status401Unauthorized).ProducesProblem(StatusCodes.Status403Forbidden);
        return app;
    }

    private static async Task<Ok<ListEnvelope<ProductView>>> ListProductsAsync(
        [FromQuery(Name = "category_id")] string? categoryId, string? search, string? sort, int? page, int? limit, string? cursor, HttpContext context, ICatalog catalog,
        CancellationToken cancellationToken)
    {
        var response = await catalog.ListProductsAsync(
            new ListProductsRequest { CategoryId = categoryId ?? "", Search = search ?? "", Sort = sort ?? "", Page = Envelope.Page(page, limit, cursor) }, cancellationToken);
        return TypedResults.Ok(Envelope.Page(context, response.Products, ProductView.From, response.Page));
    }

    private static async Task<Results<Ok<Envelope<ProductView>>, StatusCodeHttpResult>> GetProductAsync(
        string sku, HttpContext context, ICatalog catalog, CancellationToken cancellationToken)
    {
        var product = await catalog.GetProductAsync(new GetProductRequest { Sku = sku }, cancellationToken);
        return Envelope.IsNotModified(context, product.Etag)
            ? TypedResults.StatusCode(StatusCodes.Status304NotModified)
            : TypedResults.Ok(Envelope.Of(ProductView.From(product)));
    }

    private static async Task<Ok<Envelope<IReadOnlyList<CategoryView>>>> ListCategoriesAsync(
        [FromQuery(Name = "active_only")] bool? activeOnly, ICatalog catalog, CancellationToken cancellationToken)
    {
        var response = await catalog.ListCategoriesAsync(new ListCategoriesRequest { ActiveOnly = activeOnly ?? false }, cancellationToken);
        return TypedResults.Ok(Envelope.Of<IReadOnlyList<CategoryView>>([.. response.Categories.Select(CategoryView.From)]));
    }

    private static async Task<Ok<Envelope<StockCheckView>>> CheckStockAsync(CheckBody body, ICatalog catalog, CancellationToken cancellationToken)
    {
        var items = body.Items ?? [];
        var validator = new Validator().Require(items.Count is >= 1 and <= MaxLines, "items", $"must have 1 to {MaxLines} entries");
        OrderBookApi.ValidateItems(validator, items);
        validator.ThrowIfInvalid();
        var request = new CheckStockRequest();
        request.Lines.AddRange(items.Select(i => new StockLine { Sku = i.ProductId, Quantity = (int)i.Quantity }));
        var response = await catalog.CheckStockAsync(request, cancellationToken);
        return TypedResults.Ok(Envelope.Of(new StockCheckView(
            response.Lines.All(l => l.Sufficient),
            [.. response.Lines.Select(l => new StockLineView(l.Sku, l.Requested, l.Available, l.Sufficient))])));
    }

    private static async Task<Ok<Envelope<ImportView>>> ImportAsync(ImportBody body, ICatalog catalog, CancellationToken cancellationToken)
    {
        var products = body.Products ?? [];
        new Validator().Require(products.Count is >= 1 and <= MaxImport, "products", $"must have 1 to {MaxImport} entries").ThrowIfInvalid();
        var request = new ImportProductsRequest { SetStock = body.SetStock };
        foreach (var product in products)
        {
            var item = new ImportProduct
            {
                Sku = product.Sku ?? "",
                Name = product.Name ?? "",
                PriceMinor = product.PriceMinor,
                CategoryId = product.CategoryId ?? "",
                Currency = product.Currency ?? "",
            };
            if (product.Stock is { } stock)
                item.Stock = stock;
            request.Products.Add(item);
        }
        var response = await catalog.ImportProductsAsync(request, cancellationToken);
        return TypedResults.Ok(Envelope.Of(new ImportView(response.Created, response.Updated, response.Unchanged)));
    }
}

public sealed record CheckBody(IReadOnlyList<ItemBody>? Items);

public sealed record ImportBody(IReadOnlyList<ImportProductBody>? Products, bool SetStock = false);

/// <param name="Stock">For a new product, or with setStock for any; absent is 0 for a new one.</param>
public sealed record ImportProductBody(string? Sku, string? Name, long PriceMinor, long? Stock, string? CategoryId, string? Currency);

public sealed record ImportView(int Created, int Updated, int Unchanged);

public sealed record StockCheckView(bool Available, IReadOnlyList<StockLineView> Items);

public sealed record StockLineView(string ProductId, int Requested, long Available, bool Sufficient);

public sealed record ProductView(
    string Id, string Name, string? Description, string CategoryId, long PriceMinor, string Currency, long Available, DateTimeOffset UpdatedAt)
{
    internal static ProductView From(Product product) =>
        new(
            product.Sku,
            product.Name,
            Envelope.NullIfEmpty(product.Description),
            product.CategoryId,
            product.PriceMinor,
            product.Currency,
            product.Available,
            product.UpdatedAt.ToDateTimeOffset());
}

public sealed record CategoryView(string Id, string Name, bool Active, long ProductCount)
{
    internal static CategoryView From(Category category) => new(category.Id, category.Name, category.Active, category.ProductCount);
}
