using DaprPlatform.Contracts.Inventory;
using Grpc.Core;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>A catalogue that has the products named, each at one price.</summary>
internal sealed class PriceList(params string[] skus) : Catalog.CatalogClient
{
    public const long Price = 1599;

    /// <summary>What each of them costs from now on.</summary>
    public long PriceMinor { get; set; } = Price;

    /// <summary>How often it was asked.</summary>
    public int Questions { get; private set; }

    public override AsyncUnaryCall<GetPricesResponse> GetPricesAsync(
        GetPricesRequest request, Metadata? headers = null, DateTime? deadline = null, CancellationToken cancellationToken = default)
    {
        Questions++;
        var response = new GetPricesResponse();
        foreach (var sku in request.Skus)
            if (skus.Contains(sku))
                response.Products.Add(new PricedProduct { Sku = sku, Name = sku, PriceMinor = PriceMinor, Currency = "USD" });
            else
                response.UnknownSkus.Add(sku);
        return new AsyncUnaryCall<GetPricesResponse>(
            Task.FromResult(response), Task.FromResult(new Metadata()), static () => Status.DefaultSuccess, static () => [], static () => { });
    }
}
