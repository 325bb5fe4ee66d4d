using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using Grpc.Core;

namespace DaprPlatform.Inventory.Api;

/// <summary>The gRPC face of the catalogue.</summary>
internal sealed class CatalogRpc(CatalogStore catalog, CurrentUser user) : Catalog.CatalogBase
{
    public override Task<ListProductsResponse> ListProducts(ListProductsRequest request, ServerCallContext context) =>
        catalog.ListProductsAsync(request, context.CancellationToken);

    public override Task<Product> GetProduct(GetProductRequest request, ServerCallContext context) => catalog.GetProductAsync(request, context.CancellationToken);

    public override Task<ListCategoriesResponse> ListCategories(ListCategoriesRequest request, ServerCallContext context) =>
        catalog.ListCategoriesAsync(request, context.CancellationToken);

    public override Task<CheckStockResponse> CheckStock(CheckStockRequest request, ServerCallContext context) =>
        catalog.CheckStockAsync(request, context.CancellationToken);

    public override Task<GetPricesResponse> GetPrices(GetPricesRequest request, ServerCallContext context) =>
        catalog.GetPricesAsync(request, context.CancellationToken);

    public override Task<ImportProductsResponse> ImportProducts(ImportProductsRequest request, ServerCallContext context)
    {
        _ = user.Id;
        if (!user.IsOperator)
            throw Refusals.Forbidden("Only operators import products.");
        return catalog.ImportProductsAsync(request, context.CancellationToken);
    }
}
