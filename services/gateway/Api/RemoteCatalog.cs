using DaprPlatform.Contracts.Inventory;
using DaprPlatform.RestApi;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteCatalog(Catalog.CatalogClient catalog) : ICatalog
{
    public Task<ListProductsResponse> ListProductsAsync(ListProductsRequest request, CancellationToken cancellationToken) =>
        catalog.ListProductsAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Product> GetProductAsync(GetProductRequest request, CancellationToken cancellationToken) =>
        catalog.GetProductAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ListCategoriesResponse> ListCategoriesAsync(ListCategoriesRequest request, CancellationToken cancellationToken) =>
        catalog.ListCategoriesAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<CheckStockResponse> CheckStockAsync(CheckStockRequest request, CancellationToken cancellationToken) =>
        catalog.CheckStockAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<ImportProductsResponse> ImportProductsAsync(ImportProductsRequest request, CancellationToken cancellationToken) =>
        catalog.ImportProductsAsync(request, cancellationToken: cancellationToken).ResponseAsync;
}
