using DaprPlatform.Inventory.Api;
using DaprPlatform.Inventory.Data;
using DaprPlatform.Inventory.Domain;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Rpc;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("inventory", appPort: 50053, metricsPort: 9096);
builder.AddServiceDatabase<InventoryDb>(SeedData.ApplyAsync);
builder.Services.AddInventory(builder.Configuration);
builder.Services.AllowAnonymousRpc("daprplatform.inventory.v1.Catalog", "ListProducts", "GetProduct", "ListCategories", "CheckStock", "GetPrices");

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<CatalogRpc>();
app.MapGrpcService<StockRpc>().RequireAuthorization(Policies.CalledByOrders);
app.MapCatalogApi();
app.Run();
