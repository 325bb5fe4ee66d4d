using DaprPlatform.Inventory.Api;
using DaprPlatform.Inventory.Data;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("inventory", appPort: 50053, metricsPort: 9096);
builder.AddServiceDatabase<InventoryDb>(SeedData.ApplyAsync);
builder.Services.AddSingleton(StockOptions.From(builder.Configuration));
builder.Services.AddSingleton<StockMetrics>();
builder.Services.AddScoped<CatalogStore>();
builder.Services.AddScoped<ICatalog>(provider => provider.GetRequiredService<CatalogStore>());
builder.Services.AddScoped<StockKeeper>();
builder.Services.AddSingleton<ReservationExpiry>();
builder.Services.AddHostedService(provider => provider.GetRequiredService<ReservationExpiry>());

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<CatalogRpc>();
app.MapGrpcService<StockRpc>().RequireAuthorization(Policies.CalledByOrders);
app.MapCatalogApi();
app.Run();
