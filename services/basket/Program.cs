using DaprPlatform.Basket.Api;
using DaprPlatform.Basket.Domain;
using DaprPlatform.Contracts.Events;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Rpc;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("basket", appPort: 50055, metricsPort: 9098);
builder.Services.AddServiceClient("inventory", invoker => new Catalog.CatalogClient(invoker));
builder.Services.AddSingleton(BasketOptions.From(builder.Configuration));
builder.Services.AddSingleton<BasketMetrics>();
builder.Services.AddScoped<BasketShelf>();
builder.Services.AddScoped<IBaskets>(provider => provider.GetRequiredService<BasketShelf>());
builder.Services.AddEventBatchHandler<OrderStatusChanged, OrderConfirmedHandler>();

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<BasketsRpc>();
app.MapBasketApi();
app.Run();
