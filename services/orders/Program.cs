using Dapr.Workflow;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Orders.Api;
using DaprPlatform.Orders.Data;
using DaprPlatform.Orders.Domain;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Rpc;
using DaprPlatform.Workflows;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("orders", appPort: 50052, metricsPort: 9095);
builder.AddServiceDatabase<OrdersDb>();
builder.Services.AddServiceClient("inventory", invoker => new Catalog.CatalogClient(invoker));
builder.Services.AddServiceClient("inventory", invoker => new Stock.StockClient(invoker));
builder.Services.AddServiceClient("payments", invoker => new Charges.ChargesClient(invoker));
builder.Services.AddOrders(builder.Configuration);
builder.Services.AddDaprWorkflow(OrderWorkflows.Register);

var app = builder.Build();
app.UseServiceDefaults();
app.MapAppCallbacks();
app.MapGrpcService<OrdersRpc>();
app.MapOrderBookApi();
app.Run();
