using DaprPlatform.Contracts.Baskets;
using DaprPlatform.RestApi;

namespace DaprPlatform.Gateway.Api;

internal sealed class RemoteBaskets(Baskets.BasketsClient baskets) : IBaskets
{
    public Task<Basket> GetBasketAsync(GetBasketRequest request, CancellationToken cancellationToken) =>
        baskets.GetBasketAsync(request, cancellationToken: cancellationToken).ResponseAsync;

    public Task<Basket> PutBasketAsync(PutBasketRequest request, CancellationToken cancellationToken) =>
        baskets.PutBasketAsync(request, cancellationToken: cancellationToken).ResponseAsync;
}
