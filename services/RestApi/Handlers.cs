using DaprPlatform.Contracts.Baskets;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Contracts.Orders;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Contracts.Users;
using DaprPlatform.Contracts.Webhooks;
using Google.Protobuf.WellKnownTypes;

namespace DaprPlatform.RestApi;

// What the routes of this project call. The gateway implements these by gRPC clients, each service its own one by its domain,
// so that both have the same REST face.

public interface IAccounts
{
    Task<Session> RegisterAsync(RegisterRequest request, CancellationToken cancellationToken);

    Task<Session> LoginAsync(LoginRequest request, CancellationToken cancellationToken);

    Task<Session> RefreshAsync(RefreshRequest request, CancellationToken cancellationToken);

    Task<LogoutResponse> LogoutAsync(LogoutRequest request, CancellationToken cancellationToken);

    Task<UserProfile> GetProfileAsync(GetProfileRequest request, CancellationToken cancellationToken);

    Task<UserProfile> UpdateProfileAsync(UpdateProfileRequest request, CancellationToken cancellationToken);

    Task<KeySet> GetKeysAsync(GetKeysRequest request, CancellationToken cancellationToken);
}

public interface ICatalog
{
    Task<ListProductsResponse> ListProductsAsync(ListProductsRequest request, CancellationToken cancellationToken);

    Task<Product> GetProductAsync(GetProductRequest request, CancellationToken cancellationToken);

    Task<ListCategoriesResponse> ListCategoriesAsync(ListCategoriesRequest request, CancellationToken cancellationToken);

    Task<CheckStockResponse> CheckStockAsync(CheckStockRequest request, CancellationToken cancellationToken);

    Task<ImportProductsResponse> ImportProductsAsync(ImportProductsRequest request, CancellationToken cancellationToken);
}

public interface IOrderBook
{
    Task<PlaceOrderResponse> PlaceOrderAsync(PlaceOrderRequest request, CancellationToken cancellationToken);

    Task<Order> GetOrderAsync(GetOrderRequest request, CancellationToken cancellationToken);

    Task<ListOrdersResponse> ListOrdersAsync(ListOrdersRequest request, CancellationToken cancellationToken);

    Task<Order> CancelOrderAsync(CancelOrderRequest request, CancellationToken cancellationToken);

    Task<Order> UpdateStatusAsync(UpdateStatusRequest request, CancellationToken cancellationToken);

    Task<Order> DecideApprovalAsync(DecideApprovalRequest request, CancellationToken cancellationToken);
}

/// <summary>The read model of orders.</summary>
public interface IOrderHistory
{
    Task<ListHistoryResponse> ListHistoryAsync(ListHistoryRequest request, CancellationToken cancellationToken);

    Task<GetStatisticsResponse> GetStatisticsAsync(GetStatisticsRequest request, CancellationToken cancellationToken);

    Task<RebuildState> RebuildHistoryAsync(RebuildHistoryRequest request, CancellationToken cancellationToken);

    Task<RebuildState> GetRebuildAsync(GetRebuildRequest request, CancellationToken cancellationToken);
}

public interface ICashDesk
{
    Task<CardToken> CreateTokenAsync(CreateTokenRequest request, CancellationToken cancellationToken);

    Task<Payment> GetPaymentAsync(GetPaymentRequest request, CancellationToken cancellationToken);

    Task<ListPaymentsResponse> ListPaymentsAsync(ListPaymentsRequest request, CancellationToken cancellationToken);

    Task<RefundResponse> RefundAsync(RefundRequest request, CancellationToken cancellationToken);

    Task<ListMethodsResponse> ListMethodsAsync(ListMethodsRequest request, CancellationToken cancellationToken);

    Task<ListTestCardsResponse> ListTestCardsAsync(ListTestCardsRequest request, CancellationToken cancellationToken);
}

public interface IBaskets
{
    Task<Basket> GetBasketAsync(GetBasketRequest request, CancellationToken cancellationToken);

    Task<Basket> PutBasketAsync(PutBasketRequest request, CancellationToken cancellationToken);
}

/// <summary>Pays an order; only where the order's total is known, which is the gateway.</summary>
public interface IOrderPayments
{
    Task<PayResponse> PayAsync(PayRequest request, CancellationToken cancellationToken);
}

/// <summary>Turns a card into a token, where one may hand over a card with an order.</summary>
public interface ICardVault
{
    Task<CardToken> CreateTokenAsync(CreateTokenRequest request, CancellationToken cancellationToken);
}

public interface IWebhooks
{
    Task<CreateWebhookResponse> CreateWebhookAsync(CreateWebhookRequest request, CancellationToken cancellationToken);

    Task<ListWebhooksResponse> ListWebhooksAsync(ListWebhooksRequest request, CancellationToken cancellationToken);

    Task<Webhook> GetWebhookAsync(GetWebhookRequest request, CancellationToken cancellationToken);

    Task<Webhook> UpdateWebhookAsync(UpdateWebhookRequest request, CancellationToken cancellationToken);

    Task<Empty> DeleteWebhookAsync(DeleteWebhookRequest request, CancellationToken cancellationToken);

    Task<RotateSecretResponse> RotateSecretAsync(RotateSecretRequest request, CancellationToken cancellationToken);

    Task<Delivery> PingAsync(PingRequest request, CancellationToken cancellationToken);

    Task<ListDeliveriesResponse> ListDeliveriesAsync(ListDeliveriesRequest request, CancellationToken cancellationToken);

    Task<Delivery> RetryDeliveryAsync(RetryDeliveryRequest request, CancellationToken cancellationToken);
}
