using DaprPlatform.Contracts.Baskets;
using DaprPlatform.RestApi;
using Grpc.Core;

namespace DaprPlatform.Basket.Api;

/// <summary>The gRPC face of the baskets.</summary>
internal sealed class BasketsRpc(IBaskets baskets) : Baskets.BasketsBase
{
    public override Task<Contracts.Baskets.Basket> GetBasket(GetBasketRequest request, ServerCallContext context) =>
        baskets.GetBasketAsync(request, context.CancellationToken);

    public override Task<Contracts.Baskets.Basket> PutBasket(PutBasketRequest request, ServerCallContext context) =>
        baskets.PutBasketAsync(request, context.CancellationToken);
}
